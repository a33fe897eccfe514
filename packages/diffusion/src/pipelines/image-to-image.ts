/** Image to image as diffusers' StableDiffusionXLImg2ImgPipeline runs it: noise is added to a picture and taken away again. */

import { type SourceImage, toImageTensor } from '../source-image.ts';
import { rangeOfStrength } from '../timestep-range.ts';
import { encodeImage } from '../vae-encoder.ts';
import { generate } from './generation.ts';
import {
  assertSourceImage,
  assertStrength,
  assertTask,
  type GenerationRequest,
  type GenerationResult,
  type RefinerRequest,
} from './request.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** A picture from words and another picture, in whose size it is painted. */
export interface ImageToImageRequest extends GenerationRequest {
  /** Width and height are multiples of config.sizeMultiple. */
  readonly image: SourceImage;
  /** Above 0, at most 1: how much is painted again. That share of the steps is taken. */
  readonly strength: number;
  readonly refiner?: RefinerRequest | undefined;
}

/** Runs one request on a loaded model; errors as StableDiffusionXl.imageToImage. */
export async function generateImageToImage(
  model: StableDiffusionXlModel,
  request: ImageToImageRequest,
  signal: AbortSignal,
): Promise<GenerationResult> {
  const { image, strength, refiner, numInferenceSteps } = request;
  const { folder, vaeEncoder } = model;
  assertTask(folder, 'img2img');
  assertSourceImage('image', image);
  assertStrength(strength);
  return generate(
    model,
    request,
    {
      size: image,
      refiner,
      rangeOf: (scheduler) => rangeOfStrength(scheduler, numInferenceSteps, strength),
      async prepare() {
        const encoded = await encodeImage(
          vaeEncoder!,
          toImageTensor(image),
          folder.vae,
          folder.latentChannels,
        );
        return (generator, scheduler, range) => {
          // diffusers' order of draws: the picture's latents first, then the noise upon them.
          const clean = encoded.sample(generator);
          const noise = generator.normal(clean.length);
          return { sample: { data: scheduler.addNoise(clean, noise, range.first), dims: encoded.dims } };
        };
      },
    },
    signal,
  );
}
