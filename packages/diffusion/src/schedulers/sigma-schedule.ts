/** The schedule in sigma space (sample = x0 + sigma * noise) that Euler, Euler ancestral and LMS share. */

import { alphasCumprod, spacedTimesteps, trainingSigmas } from './noise-schedule.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';
import { exponentialSigmas, karrasSigmas, sigmaToTimestep } from './sigma-spacing.ts';

const { fround } = Math;
/** Stands for an alpha of 0 at the last training step, so that its sigma stays finite (diffusers' choice: sigma is 4096). */
const SMALLEST_ALPHA = 2 ** -24;

/** What differs between the schedulers of this space: options that diffusers' class lacks are ignored there, so here too. */
export interface SigmaScheduleOptions {
  readonly hasSigmaSpacings: boolean;
  readonly hasFinalSigma: boolean;
  readonly hasZeroSnr: boolean;
  /** Whether the config's sigma_min and sigma_max bound the Karras spacing. */
  readonly hasKarrasRange: boolean;
}

/** Everything of a scheduler but its step, and the noise levels that the step needs. */
export interface SigmaSchedule extends Omit<Scheduler, 'step'> {
  /** One level for each timestep and the final one; float32 values. */
  readonly sigmas: Float32Array;
}

/** Builds the schedule for a number of inference steps. Timesteps are fractional with linspace and with sigma spacings. */
export function createSigmaSchedule(
  config: SchedulerConfig,
  numInferenceSteps: number,
  options: SigmaScheduleOptions,
): SigmaSchedule {
  const spacing = config.timestepSpacing ?? 'linspace';
  const levels = trainingLevels(config, options.hasZeroSnr);
  const spaced = spacedTimesteps(config, spacing, numInferenceSteps).map(fround);
  const interpolated = spaced.map((timestep) => interpolate(levels, timestep));
  const respaced = options.hasSigmaSpacings ? respace(interpolated, config, options.hasKarrasRange) : null;
  const timesteps = respaced?.map((sigma) => fround(sigmaToTimestep(sigma, levels))) ?? spaced;
  const final = options.hasFinalSigma && config.finalSigmasType === 'sigma_min' ? levels[0]! : 0;
  const sigmas = Float32Array.from([...(respaced ?? interpolated), final]);
  const largest = sigmas.reduce((maximum, sigma) => Math.max(maximum, sigma));

  return {
    timesteps,
    sigmas,
    initNoiseSigma: fround(spacing === 'leading' ? Math.sqrt(largest ** 2 + 1) : largest),
    scaleModelInput(sample, index) {
      const divisor = Math.sqrt(sigmas[index]! ** 2 + 1);
      return sample.map((value) => value / divisor);
    },
    addNoise: (clean, noise, index) => mixNoise(clean, noise, 1, sigmas[index]!),
  };
}

/** The noise level of every training step, ascending. */
export function trainingLevels(config: SchedulerConfig, hasZeroSnr: boolean): Float32Array {
  const rescaleBetasZeroSnr = hasZeroSnr && config.rescaleBetasZeroSnr;
  const alphas = alphasCumprod({ ...config, rescaleBetasZeroSnr });
  if (rescaleBetasZeroSnr) alphas[alphas.length - 1] = SMALLEST_ALPHA;
  return trainingSigmas(alphas);
}

function respace(
  sigmas: readonly number[],
  { sigmaMin, sigmaMax, useKarrasSigmas, useExponentialSigmas }: SchedulerConfig,
  hasKarrasRange: boolean,
): number[] | null {
  const ends = { largest: sigmas[0]!, smallest: sigmas[sigmas.length - 1]! };
  const configured = { largest: sigmaMax ?? ends.largest, smallest: sigmaMin ?? ends.smallest };
  if (useKarrasSigmas) return karrasSigmas(sigmas.length, hasKarrasRange ? configured : ends);
  if (useExponentialSigmas) return exponentialSigmas(sigmas.length, configured);
  return null;
}

/** The value between two training steps, clamped to the ends as numpy.interp does. */
function interpolate(levels: Float32Array, timestep: number): number {
  const position = Math.min(Math.max(timestep, 0), levels.length - 1);
  const below = Math.min(Math.floor(position), levels.length - 2);
  return levels[below]! + (levels[below + 1]! - levels[below]!) * (position - below);
}
