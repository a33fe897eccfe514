/** Text to image as diffusers' StableDiffusionXLPipeline runs it: from pure noise to a picture. */

import { wholeRange } from '../timestep-range.ts';
import { generate } from './generation.ts';
import { assertTask, type GenerationRequest, type GenerationResult, type RefinerRequest } from './request.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** A picture from words alone. */
export interface TextToImageRequest extends GenerationRequest {
  /** Pixels; multiples of config.sizeMultiple. */
  readonly width: number;
  readonly height: number;
  readonly refiner?: RefinerRequest | undefined;
}

/** Runs one request on a loaded model; errors as StableDiffusionXl.textToImage. */
export async function generateTextToImage(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
  signal: AbortSignal,
): Promise<GenerationResult> {
  const { width, height, refiner } = request;
  const { folder } = model;
  assertTask(folder, 'text2img');
  const dims = [1, folder.latentChannels, height / folder.vaeScaleFactor, width / folder.vaeScaleFactor];
  const length = dims.reduce((size, dim) => size * dim);
  return generate(
    model,
    request,
    {
      size: { width, height },
      refiner,
      rangeOf: wholeRange,
      // Float32 CPU noise whatever the graph's dtype, so that a seed means the same picture on every machine.
      prepare: async () => (generator, scheduler) => {
        const noise = generator.normal(length);
        return { sample: { data: noise.map((value) => value * scheduler.initNoiseSigma), dims } };
      },
    },
    signal,
  );
}
