/** What the two DPM-Solver++ schedulers (arXiv 2211.01095) share: their schedule, x0, and the terms of one update. */

import { DiffusionError } from '../errors.ts';
import { roundHalfToEven } from '../rounding.ts';
import { spacedTimesteps } from './noise-schedule.ts';
import { originalMap } from './prediction.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';
import type { SchedulerConfig, TimestepSpacing } from './scheduler-config.ts';
import { trainingLevels } from './sigma-schedule.ts';
import { exponentialSigmas, karrasSigmas, sigmaToTimestep } from './sigma-spacing.ts';

/** Everything of a scheduler but its step, and what the step needs. Samples are in VP space: signal * x0 + deviation * noise. */
export interface DpmSolverSchedule extends Omit<Scheduler, 'step'> {
  /** deviation / signal for each timestep and the final one; float32 values. */
  readonly sigmas: Float32Array;
  /** Whether fresh noise is added in each step (`sde-dpmsolver++`). */
  readonly isStochastic: boolean;
  predictOriginal(modelOutput: Float32Array, index: number, sample: Float32Array): Float32Array;
}

/** Builds the schedule. `hasZeroSnr` and `spacing` are parameters because only the multistep class has these options. */
export function createDpmSolverSchedule(
  name: string,
  config: SchedulerConfig,
  numInferenceSteps: number,
  { spacing, hasZeroSnr }: { spacing: TimestepSpacing; hasZeroSnr: boolean },
): DpmSolverSchedule {
  assertSupported(name, config);
  const levels = trainingLevels(config, hasZeroSnr);
  // One point more than steps, and the last one dropped; trailing starts at the end of the range and needs no such care.
  const points = spacing === 'trailing' ? numInferenceSteps : numInferenceSteps + 1;
  const spaced = spacedTimesteps(config, spacing, points).slice(0, numInferenceSteps).map(roundHalfToEven);
  const respaced = respace(config, levels, numInferenceSteps);
  const timesteps = respaced?.timesteps ?? spaced;
  const final = config.finalSigmasType === 'sigma_min' ? levels[0]! : 0;
  const spacedSigmas = spaced.map((timestep) => levels[Math.min(timestep, levels.length - 1)]!);
  const sigmas = Float32Array.from([...(respaced?.sigmas ?? spacedSigmas), final]);
  const signalOf = (index: number) => 1 / Math.sqrt(sigmas[index]! ** 2 + 1);

  return {
    timesteps,
    sigmas,
    isStochastic: config.algorithmType === 'sde-dpmsolver++',
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    predictOriginal(modelOutput, index, sample) {
      const signal = signalOf(index);
      const { ofOutput, ofSample } = originalMap(config.predictionType, signal, sigmas[index]! * signal);
      return sample.map((value, element) => ofOutput * modelOutput[element]! + ofSample * value);
    },
    addNoise(clean, noise, index) {
      const signal = signalOf(index);
      return mixNoise(clean, noise, signal, sigmas[index]! * signal);
    },
  };
}

/** How the sample at `sigmaTo` follows from the one at `sigmaFrom` and a polynomial of x0 in lambda = -ln(sigma). */
export interface UpdateTerms {
  /** The step in lambda; infinite when `sigmaTo` is 0. */
  readonly lambdaStep: number;
  readonly ofSample: number;
  /** The weights of x0's value and of its first and second divided differences over the whole step. */
  readonly ofValue: number;
  readonly ofSlope: number;
  readonly ofCurvature: number;
  /** The weight of fresh noise; 0 for the deterministic solver. */
  readonly ofNoise: number;
}

/** Appendix B of the paper. The `midpoint` solver weighs the slope by half of the value's weight, `heun` integrates it. */
export function updateTerms(
  sigmaFrom: number,
  sigmaTo: number,
  { solverType, isStochastic }: { solverType: 'midpoint' | 'heun'; isStochastic: boolean },
): UpdateTerms {
  const lambdaStep = Math.log(sigmaFrom) - Math.log(sigmaTo);
  const signal = 1 / Math.sqrt(sigmaTo ** 2 + 1);
  const deviationRatio = (sigmaTo * signal) / (sigmaFrom / Math.sqrt(sigmaFrom ** 2 + 1));
  const span = isStochastic ? 2 * lambdaStep : lambdaStep;
  const decay = -Math.expm1(-span);
  const integral = signal * (1 - decay / span);
  return {
    lambdaStep,
    ofSample: deviationRatio * (isStochastic ? Math.exp(-lambdaStep) : 1),
    ofValue: signal * decay,
    ofSlope: solverType === 'midpoint' ? (signal * decay) / 2 : integral,
    ofCurvature: -signal * ((span - decay) / span ** 2 - 0.5),
    ofNoise: isStochastic ? sigmaTo * signal * Math.sqrt(decay) : 0,
  };
}

/** `ofSample * sample` plus each weighted array; arrays with a weight of 0 are not read. */
export function weightedSum(
  sample: Float32Array,
  ofSample: number,
  terms: readonly (readonly [weight: number, values: Float32Array])[],
): Float32Array {
  const used = terms.filter(([weight]) => weight !== 0);
  return sample.map((value, element) =>
    used.reduce((sum, [weight, values]) => sum + weight * values[element]!, ofSample * value),
  );
}

function assertSupported(name: string, { algorithmType, solverOrder }: SchedulerConfig): void {
  if (algorithmType === 'dpmsolver' || algorithmType === 'sde-dpmsolver') {
    throw new DiffusionError(
      'unsupported',
      `scheduler_config.json has algorithm_type "${algorithmType}"; ${name} is available with "dpmsolver++" and "sde-dpmsolver++".`,
    );
  }
  if (algorithmType === 'sde-dpmsolver++' && solverOrder === 3) {
    throw new DiffusionError(
      'unsupported',
      `scheduler_config.json has solver_order 3 with algorithm_type "sde-dpmsolver++"; ${name} has orders 1 and 2 there.`,
    );
  }
}

/** Sigmas by Karras or exponentially over the whole training range, with whole timesteps; null when neither is asked for. */
function respace(
  config: SchedulerConfig,
  levels: Float32Array,
  count: number,
): { sigmas: number[]; timesteps: number[] } | null {
  const { sigmaMin, sigmaMax, useKarrasSigmas, useExponentialSigmas } = config;
  const range = { largest: sigmaMax ?? levels[levels.length - 1]!, smallest: sigmaMin ?? levels[0]! };
  if (!useKarrasSigmas && !useExponentialSigmas) return null;
  const sigmas = useKarrasSigmas ? karrasSigmas(count, range) : exponentialSigmas(count, range);
  // diffusers rounds Karras timesteps, then casts all to integers, which cuts the exponential ones.
  const toWhole = useKarrasSigmas ? roundHalfToEven : Math.trunc;
  return { sigmas, timesteps: sigmas.map((sigma) => toWhole(sigmaToTimestep(sigma, levels))) };
}
