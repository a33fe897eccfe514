/** PNDM (arXiv 2202.09778) in its PLMS form, as diffusers' PNDMScheduler with skip_prk_steps: one UNet call more than steps. */

import { DiffusionError } from '../errors.ts';
import { roundHalfToEven } from '../rounding.ts';
import { alphasCumprod, spacedTimesteps } from './noise-schedule.ts';
import { noiseMap, originalMap, refuseSamplePrediction } from './prediction.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

/** Adams-Bashforth weights by the number of outputs at hand, newest first (equation 12 of the paper and its shorter starts). */
const WEIGHTS = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]];

/**
 * Creates PNDM for a number of inference steps (1 to numTrainTimesteps). The Runge-Kutta start (`skip_prk_steps: false`) is not
 * implemented: diffusers' authors advise against it for latents, and every Stable Diffusion config skips it.
 */
export function createPndmScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  refuseSamplePrediction('PNDM', config.predictionType);
  if (config.skipPrkSteps === false) {
    throw new DiffusionError(
      'unsupported',
      'scheduler_config.json sets skip_prk_steps to false; PNDM is available only with skip_prk_steps true.',
    );
  }
  // diffusers' class has no rescale_betas_zero_snr and so ignores it: its update would divide by an alpha of 0.
  const alphas = alphasCumprod({ ...config, rescaleBetasZeroSnr: false });
  const finalAlpha = (config.setAlphaToOne ?? false) ? 1 : alphas[0]!;
  const spaced = spacedTimesteps(config, config.timestepSpacing ?? 'leading', numInferenceSteps);
  const timesteps = repeatSecond(spaced.map(roundHalfToEven));
  const stride = Math.floor(config.numTrainTimesteps / numInferenceSteps);
  /** The last four outputs, newest first. */
  let outputs: Float32Array[] = [];
  let firstSample: Float32Array | undefined;
  let calls = 0;

  /** Formula (11) of the paper: from `timestep` to `previous`, a whole stride earlier. */
  function transfer(sample: Float32Array, output: Float32Array, timestep: number, previous: number) {
    const alpha = alphas[timestep]!;
    const alphaPrevious = previous >= 0 ? alphas[previous]! : finalAlpha;
    const noise = noiseMap(config.predictionType, Math.sqrt(alpha), Math.sqrt(1 - alpha));
    const ofSample = Math.sqrt(alphaPrevious / alpha);
    const ofNoise =
      -(alphaPrevious - alpha) /
      (alpha * Math.sqrt(1 - alphaPrevious) + Math.sqrt(alpha * (1 - alpha) * alphaPrevious));
    return sample.map((value, element) => {
      const predictedNoise = noise.ofOutput * output[element]! + noise.ofSample * value;
      return ofSample * value + ofNoise * predictedNoise;
    });
  }

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    step(modelOutput, index, sample) {
      const timestep = timesteps[index]!;
      const alpha = alphas[timestep]!;
      const original = originalMap(config.predictionType, Math.sqrt(alpha), Math.sqrt(1 - alpha));
      const predictedOriginal = sample.map(
        (value, element) => original.ofOutput * modelOutput[element]! + original.ofSample * value,
      );
      // By calls and not by index: img2img starts anywhere, and diffusers then treats its second call like this one too.
      const isCorrection = calls === 1;
      calls++;
      if (isCorrection) {
        // The first step again, now with the mean of the noise at its start and at its end.
        const start = outputs[0]!;
        const mean = modelOutput.map((value, element) => (value + start[element]!) / 2);
        const previousSample = transfer(firstSample ?? sample, mean, timestep + stride, timestep);
        firstSample = undefined;
        return { previousSample, predictedOriginal };
      }
      if (calls === 1) firstSample = sample;
      outputs = [modelOutput, ...outputs].slice(0, WEIGHTS.length);
      const weights = WEIGHTS[outputs.length - 1]!;
      const combined = modelOutput.map((_, element) =>
        weights.reduce((sum, weight, age) => sum + weight * outputs[age]![element]!, 0),
      );
      return { previousSample: transfer(sample, combined, timestep, timestep - stride), predictedOriginal };
    },
    addNoise(clean, noise, index) {
      const alpha = alphas[timesteps[index]!]!;
      return mixNoise(clean, noise, Math.sqrt(alpha), Math.sqrt(1 - alpha));
    },
  };
}

/** [a, b, c, ...] to [a, b, b, c, ...]: the first step is taken twice, the second time better. */
function repeatSecond(timesteps: readonly number[]): number[] {
  return timesteps.length < 2 ? [...timesteps] : [timesteps[0]!, timesteps[1]!, ...timesteps.slice(1)];
}
