/** Diffusion models on ONNX Runtime: tensors in, pixels out. Imports nothing of ours. */

export { DiffusionError, type DiffusionErrorCode } from './errors.ts';
export type { DiffusionLogger } from './logger.ts';
export type { ExecutionProvider } from './onnx-session.ts';
export {
  loadStableDiffusionXl,
  type StableDiffusionXl,
  type StableDiffusionXlConfig,
} from './pipelines/stable-diffusion-xl.ts';
export type { LoadOptions } from './pipelines/stable-diffusion-xl-model.ts';
export type { GenerationProgress, TextToImageRequest, TextToImageResult } from './pipelines/text-to-image.ts';
export { type PreviewMap, previewRgb } from './preview.ts';
export { SCHEDULER_NAMES, type SchedulerName } from './schedulers/registry.ts';
export type { RgbImage } from './vae.ts';
