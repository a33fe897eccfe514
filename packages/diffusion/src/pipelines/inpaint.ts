/** Inpainting as diffusers' StableDiffusionXLInpaintPipeline runs it, with UNets of 4 channels (blending) and of 9. */

import type { DenoiseStart } from '../denoise.ts';
import { DiffusionError } from '../errors.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { maskOut, type SourceImage, toImageTensor, toLatentMask, toMaskTensor } from '../source-image.ts';
import { concatChannels, type FloatTensor } from '../tensor.ts';
import { rangeOfStrength } from '../timestep-range.ts';
import { encodeImage } from '../vae-encoder.ts';
import { generate, type StartImage } from './generation.ts';
import {
  assertSourceImage,
  assertStrength,
  assertTask,
  type GenerationRequest,
  type GenerationResult,
} from './request.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** A picture whose masked part is painted again. */
export interface InpaintRequest extends GenerationRequest {
  /** Width and height are multiples of config.sizeMultiple. */
  readonly image: SourceImage;
  /** White (from half up) where to paint; of the picture's size. */
  readonly mask: SourceImage;
  /** Above 0, at most 1. At 1 nothing of what was under the mask is left; below, it shows through. */
  readonly strength: number;
}

/** Runs one request on a loaded model; errors as StableDiffusionXl.inpaint. */
export async function generateInpaint(
  model: StableDiffusionXlModel,
  request: InpaintRequest,
  signal: AbortSignal,
): Promise<GenerationResult> {
  const { image, mask, strength, numInferenceSteps } = request;
  assertTask(model.folder, 'inpaint');
  assertSourceImage('image', image);
  assertSourceImage('mask', mask);
  assertStrength(strength);
  if (mask.width !== image.width || mask.height !== image.height) {
    throw new DiffusionError(
      'invalid_request',
      `mask is ${mask.width} x ${mask.height} pixels; expected the image's size, ${image.width} x ${image.height}.`,
    );
  }
  return generate(
    model,
    request,
    {
      size: image,
      rangeOf: (scheduler) => rangeOfStrength(scheduler, numInferenceSteps, strength),
      prepare: () => prepareInpaint(model, request),
    },
    signal,
  );
}

/**
 * The draws from an image's random stream come in diffusers' order: the picture's latents (a 9-channel UNet needs them below strength
 * 1 only), the noise, the masked picture's latents. A UNet of 4 channels does not use the last, but they are drawn all the same.
 */
async function prepareInpaint(model: StableDiffusionXlModel, request: InpaintRequest): Promise<StartImage> {
  const { folder, vaeEncoder } = model;
  const { isInpaintingUnet, latentChannels, vaeScaleFactor } = folder;
  const image = toImageTensor(request.image);
  const mask = toMaskTensor(request.mask);
  const latentMask = toLatentMask(mask, vaeScaleFactor);
  const encode = (pixels: FloatTensor) => encodeImage(vaeEncoder!, pixels, folder.vae, latentChannels);
  const encoded = await encode(image);
  const masked = isInpaintingUnet ? await encode(maskOut(image, mask)) : encoded;
  const { dims } = encoded;
  const isFromNoise = request.strength === 1;

  return (generator, scheduler, range) => {
    const clean = isFromNoise && isInpaintingUnet ? undefined : encoded.sample(generator);
    const noise = generator.normal(dims.reduce((size, dim) => size * dim));
    const data =
      isFromNoise || !clean
        ? noise.map((value) => value * scheduler.initNoiseSigma)
        : scheduler.addNoise(clean, noise, range.first);
    const sample = { data, dims };
    if (!isInpaintingUnet && clean) {
      masked.skip(generator);
      return { sample, blend: createBlend(scheduler, latentMask, clean, noise) };
    }
    const maskedLatents = { data: masked.sample(generator), dims };
    return { sample, extraChannels: concatChannels([latentMask, maskedLatents]) };
  };
}

/** Keeps what is outside the mask: after each step it is set to the picture at the next step's noise level, at last to the picture. */
function createBlend(
  scheduler: Scheduler,
  mask: FloatTensor,
  clean: Float32Array,
  noise: Float32Array,
): NonNullable<DenoiseStart['blend']> {
  const cells = mask.data.length;
  return (sample, nextIndex) => {
    const kept = nextIndex === null ? clean : scheduler.addNoise(clean, noise, nextIndex);
    return sample.map((value, element) => {
      const share = mask.data[element % cells]!;
      return (1 - share) * kept[element]! + share * value;
    });
  };
}
