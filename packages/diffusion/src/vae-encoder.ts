/** Pixels to latents: runs the VAE's encoder and draws from the distribution that it gives. */

import { DiffusionError } from './errors.ts';
import type { VaeConfig } from './model-folder.ts';
import type { OnnxSession } from './onnx-session.ts';
import type { NoiseGenerator } from './random.ts';
import type { FloatTensor } from './tensor.ts';

/** Where a picture may lie in latent space. The encoder runs once, and each image of a request draws its own latents. */
export interface EncodedImage {
  /** [1, channels, h, w] */
  readonly dims: readonly number[];
  /** Draws latents, scaled as the denoiser has them; one draw of the latents' size from the generator. */
  sample(generator: NoiseGenerator): Float32Array;
  /** Moves the generator on as `sample` does, for the draws that diffusers makes and does not use. */
  skip(generator: NoiseGenerator): void;
}

/** The bounds that diffusers' DiagonalGaussianDistribution puts on the logarithm of the variance. */
const LOG_VARIANCE = { min: -30, max: 20 };

/** Encodes [1, 3, height, width] in -1..1. Throws `inference_failed` when the encoder returns NaN. */
export async function encodeImage(
  session: OnnxSession,
  image: FloatTensor,
  config: VaeConfig,
  latentChannels: number,
): Promise<EncodedImage> {
  const name = session.outputs.has('latent_parameters') ? 'latent_parameters' : 'latent_sample';
  const outputs = await session.run({ sample: image }, [name]);
  const output = outputs[name]!;
  const [, channels, height, width] = output.dims as [number, number, number, number];
  if (output.data.some(Number.isNaN)) {
    throw new DiffusionError(
      'inference_failed',
      'The VAE encoder returned NaN; a half-precision export of the original SDXL VAE overflows, use a float32 one.',
    );
  }
  const dims = [1, latentChannels, height, width];
  const size = latentChannels * height * width;
  if (channels === latentChannels) {
    // Old exports sample inside the graph (output `latent_sample`): nothing is left to draw.
    const scaled = scaleLatents(output.data, dims, config);
    return { dims, sample: () => scaled, skip: () => {} };
  }
  if (channels !== 2 * latentChannels) {
    throw new DiffusionError(
      'model_folder_invalid',
      `vae_encoder/model.onnx gives ${channels} channels; expected ${2 * latentChannels} (mean and log variance) or ${latentChannels}.`,
    );
  }
  const mean = output.data.subarray(0, size);
  const deviation = output.data
    .subarray(size)
    .map((value) => Math.exp(0.5 * Math.min(Math.max(value, LOG_VARIANCE.min), LOG_VARIANCE.max)));
  return {
    dims,
    sample(generator) {
      const noise = generator.normal(size);
      return scaleLatents(
        mean.map((value, index) => value + deviation[index]! * noise[index]!),
        dims,
        config,
      );
    },
    skip: (generator) => void generator.normal(size),
  };
}

/** What `unscaleLatents` undoes. */
function scaleLatents(latents: Float32Array, dims: readonly number[], config: VaeConfig): Float32Array {
  const { scalingFactor, latentsMean, latentsStd } = config;
  const cells = dims[2]! * dims[3]!;
  return latents.map((value, index) => {
    if (!latentsMean || !latentsStd) return value * scalingFactor;
    const channel = Math.floor(index / cells);
    return ((value - latentsMean[channel]!) * scalingFactor) / latentsStd[channel]!;
  });
}
