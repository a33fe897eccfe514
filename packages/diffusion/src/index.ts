/** Diffusion models on ONNX Runtime: tensors in, pixels out. Imports nothing of ours. */

export {
  type ContentHash,
  type DownloadOptions,
  downloadFile,
  type FileDownload,
} from './download/download-file.ts';
export {
  downloadHubModel,
  type HubDownload,
  type HubDownloadOptions,
  type HubModel,
  type HubProgress,
} from './download/hub.ts';
export { DiffusionError, type DiffusionErrorCode } from './errors.ts';
export type { DiffusionLogger } from './logger.ts';
export { checkModelFolder } from './model-check.ts';
export type { ImageTask } from './model-folder.ts';
export { type ExecutionProvider, ONNX_RUNTIME_VERSION } from './onnx-session.ts';
export { type PipelineKind, readPipelineKind } from './pipeline-kind.ts';
export type { ImageToImageRequest } from './pipelines/image-to-image.ts';
export type { InpaintRequest } from './pipelines/inpaint.ts';
export type {
  GenerationProgress,
  GenerationRequest,
  GenerationResult,
  RefinerRequest,
  TruncatedTokens,
} from './pipelines/request.ts';
export {
  loadStableDiffusionXl,
  type StableDiffusionXl,
  type StableDiffusionXlConfig,
} from './pipelines/stable-diffusion-xl.ts';
export type { LoadOptions } from './pipelines/stable-diffusion-xl-model.ts';
export type { TextToImageRequest } from './pipelines/text-to-image.ts';
export type { TextToVideoRequest, VideoProgress, VideoResult } from './pipelines/text-to-video.ts';
export { loadWan, type Wan, type WanConfig } from './pipelines/wan.ts';
export type { WanLoadOptions } from './pipelines/wan-model.ts';
export { type PreviewMap, previewRgb } from './preview.ts';
export { SCHEDULER_NAMES, type SchedulerName } from './schedulers/registry.ts';
export type { SourceImage } from './source-image.ts';
export type { RgbImage } from './vae.ts';
export { previewVideoRgb } from './video-frames.ts';
