/** Euler steps in sigma space (algorithm 2 of arXiv 2206.00364 without churn), as diffusers' EulerDiscreteScheduler. */

import { DiffusionError } from '../errors.ts';
import { karrasSigmas, sigmaToTimestep } from './karras-sigmas.ts';
import { alphasCumprod, spacedTimesteps, trainingSigmas } from './noise-schedule.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

const { fround } = Math;
/** Stands for an alpha of 0 at the last training step, so that its sigma stays finite (diffusers' choice: 4096). */
const SMALLEST_ALPHA = 2 ** -24;

/** Creates Euler for a number of inference steps (1 to numTrainTimesteps). */
export function createEulerScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  const spacing = config.timestepSpacing ?? 'linspace';
  const { timesteps, sigmas } = sigmaSchedule(config, numInferenceSteps);
  const largestSigma = sigmas.reduce((largest, sigma) => Math.max(largest, sigma));

  return {
    timesteps,
    initNoiseSigma: fround(spacing === 'leading' ? Math.sqrt(largestSigma ** 2 + 1) : largestSigma),
    scaleModelInput(sample, index) {
      const divisor = Math.sqrt(sigmas[index]! ** 2 + 1);
      return sample.map((value) => value / divisor);
    },
    step(modelOutput, index, sample) {
      const sigma = sigmas[index]!;
      const sigmaDifference = sigmas[index + 1]! - sigma;
      const { ofOutput, ofSample } = originalFrom(config, sigma);
      const previousSample = new Float32Array(sample.length);
      const predictedOriginal = new Float32Array(sample.length);
      for (let element = 0; element < sample.length; element++) {
        const current = sample[element]!;
        const clean = ofOutput * modelOutput[element]! + ofSample * current;
        predictedOriginal[element] = clean;
        previousSample[element] = current + ((current - clean) / sigma) * sigmaDifference;
      }
      return { previousSample, predictedOriginal };
    },
  };
}

/** Timesteps (fractional with linspace and Karras) and one sigma each, with the final one appended; both float32 values. */
function sigmaSchedule(
  config: SchedulerConfig,
  steps: number,
): { timesteps: number[]; sigmas: Float32Array } {
  const alphas = alphasCumprod(config);
  if (config.rescaleBetasZeroSnr) alphas[alphas.length - 1] = SMALLEST_ALPHA;
  const levels = trainingSigmas(alphas);
  const spaced = spacedTimesteps(config, config.timestepSpacing ?? 'linspace', steps).map(fround);
  const interpolated = spaced.map((timestep) => interpolate(levels, timestep));
  const sigmas = config.useKarrasSigmas ? karrasSigmas(interpolated, config) : interpolated;
  const timesteps = config.useKarrasSigmas
    ? sigmas.map((sigma) => fround(sigmaToTimestep(sigma, levels)))
    : spaced;
  const final = config.finalSigmasType === 'sigma_min' ? levels[0]! : 0;
  return { timesteps, sigmas: Float32Array.from([...sigmas, final]) };
}

/** The value between two training steps, clamped to the ends as numpy.interp does. */
function interpolate(levels: Float32Array, timestep: number): number {
  const position = Math.min(Math.max(timestep, 0), levels.length - 1);
  const below = Math.min(Math.floor(position), levels.length - 2);
  return levels[below]! + (levels[below + 1]! - levels[below]!) * (position - below);
}

/** x0 as a linear map of model output and sample, where sample = x0 + sigma * noise. */
function originalFrom(config: SchedulerConfig, sigma: number): { ofOutput: number; ofSample: number } {
  switch (config.predictionType) {
    case 'epsilon':
      return { ofOutput: -sigma, ofSample: 1 };
    case 'v_prediction':
      return { ofOutput: -sigma / Math.sqrt(sigma ** 2 + 1), ofSample: 1 / (sigma ** 2 + 1) };
    case 'sample':
      throw new DiffusionError(
        'unsupported',
        'K_EULER does not support prediction_type "sample"; DDIM does.',
      );
  }
}
