/** Reads scheduler_config.json: diffusers' keys, checked, with undefined where each scheduler class has a default of its own. */

import { DiffusionError } from '../errors.ts';
import { choiceOf, invalidValue, numberOf } from './config-values.ts';

const BETA_SCHEDULES = ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const;
const PREDICTION_TYPES = ['epsilon', 'v_prediction', 'sample'] as const;
const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const;
const FINAL_SIGMAS_TYPES = ['zero', 'sigma_min'] as const;
const ALGORITHM_TYPES = ['dpmsolver', 'dpmsolver++', 'sde-dpmsolver', 'sde-dpmsolver++', 'deis'] as const;
const SOLVER_TYPES = ['midpoint', 'heun', 'logrho', 'bh1', 'bh2'] as const;

/** What the model's output stands for: the noise, the velocity, or the clean sample. */
export type PredictionType = (typeof PREDICTION_TYPES)[number];
/** Where the inference steps lie among the training steps (table 2 of arXiv 2305.08891). */
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

/** The noise schedule that a model was trained with, and how its authors want it stepped. */
export interface SchedulerConfig {
  readonly numTrainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: (typeof BETA_SCHEDULES)[number];
  readonly trainedBetas: readonly number[] | undefined;
  readonly rescaleBetasZeroSnr: boolean;
  readonly predictionType: PredictionType;
  /** Absent: DDIM and PNDM take leading, the others linspace, as diffusers' classes do. */
  readonly timestepSpacing: TimestepSpacing | undefined;
  readonly stepsOffset: number;
  /** Absent: true for DDIM, false for PNDM. */
  readonly setAlphaToOne: boolean | undefined;
  /**
   * Absent means false here. diffusers' DDIM class has true, meant for pixels: a config that was written for another class and so
   * lacks the key would then have its latents clipped to [-1, 1] and its picture ruined.
   */
  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  /** PNDM only. Absent counts as true here: a config written for another class lacks the key. */
  readonly skipPrkSteps: boolean | undefined;
  readonly useKarrasSigmas: boolean;
  readonly useExponentialSigmas: boolean;
  readonly sigmaMin: number | undefined;
  readonly sigmaMax: number | undefined;
  readonly finalSigmasType: (typeof FINAL_SIGMAS_TYPES)[number];
  /** The DPM-Solver schedulers only, like all that follow; they refuse the types that have no `++`. */
  readonly algorithmType: 'dpmsolver' | 'dpmsolver++' | 'sde-dpmsolver' | 'sde-dpmsolver++';
  readonly solverType: 'midpoint' | 'heun';
  readonly solverOrder: 1 | 2 | 3;
  /** Absent: true for multistep, false for singlestep. */
  readonly lowerOrderFinal: boolean | undefined;
  readonly eulerAtFinal: boolean;
}

/** Options of diffusers that change the result and that no scheduler here has; set, they are refused rather than ignored. */
const UNSUPPORTED_WHEN_TRUE = [
  'thresholding',
  'use_beta_sigmas',
  'use_lu_lambdas',
  'use_flow_sigmas',
  'use_dynamic_shifting',
];

/** Parses a scheduler_config.json; throws `model_folder_invalid` for a bad value, `unsupported` for an option not implemented. */
export function parseSchedulerConfig(json: Record<string, unknown>): SchedulerConfig {
  const unsupported = UNSUPPORTED_WHEN_TRUE.find((key) => json[key] === true);
  if (unsupported) {
    throw new DiffusionError(
      'unsupported',
      `scheduler_config.json sets ${unsupported}, which is not supported.`,
    );
  }
  if (
    (json['interpolation_type'] ?? 'linear') !== 'linear' ||
    (json['timestep_type'] ?? 'discrete') !== 'discrete'
  ) {
    throw new DiffusionError(
      'unsupported',
      'scheduler_config.json must have interpolation_type "linear" and timestep_type "discrete"; nothing else is supported.',
    );
  }
  if (
    typeof (json['variance_type'] ?? undefined) === 'string' ||
    numberOf(json, 'lambda_min_clipped') !== undefined
  ) {
    throw new DiffusionError(
      'unsupported',
      'scheduler_config.json sets variance_type or lambda_min_clipped, which latent models do not have and which is not supported.',
    );
  }
  // diffusers' DPM-Solver classes take the config of DEIS and UniPC, whose names for these they do not know, in this way too.
  const algorithmType = choiceOf(json, 'algorithm_type', ALGORITHM_TYPES) ?? 'dpmsolver++';
  const solverType = choiceOf(json, 'solver_type', SOLVER_TYPES) ?? 'midpoint';
  const useKarrasSigmas = flagOf(json, 'use_karras_sigmas') ?? false;
  const useExponentialSigmas = flagOf(json, 'use_exponential_sigmas') ?? false;
  if (useKarrasSigmas && useExponentialSigmas) {
    throw invalidValue('use_exponential_sigmas', true, 'false beside use_karras_sigmas');
  }
  return {
    numTrainTimesteps: numberOf(json, 'num_train_timesteps') ?? 1000,
    betaStart: numberOf(json, 'beta_start') ?? 0.0001,
    betaEnd: numberOf(json, 'beta_end') ?? 0.02,
    betaSchedule: choiceOf(json, 'beta_schedule', BETA_SCHEDULES) ?? 'linear',
    trainedBetas: numbersOf(json, 'trained_betas'),
    rescaleBetasZeroSnr: flagOf(json, 'rescale_betas_zero_snr') ?? false,
    predictionType: choiceOf(json, 'prediction_type', PREDICTION_TYPES) ?? 'epsilon',
    timestepSpacing: choiceOf(json, 'timestep_spacing', TIMESTEP_SPACINGS),
    stepsOffset: numberOf(json, 'steps_offset') ?? 0,
    setAlphaToOne: flagOf(json, 'set_alpha_to_one'),
    clipSample: flagOf(json, 'clip_sample') ?? false,
    clipSampleRange: numberOf(json, 'clip_sample_range') ?? 1,
    skipPrkSteps: flagOf(json, 'skip_prk_steps'),
    useKarrasSigmas,
    useExponentialSigmas,
    sigmaMin: numberOf(json, 'sigma_min'),
    sigmaMax: numberOf(json, 'sigma_max'),
    finalSigmasType: choiceOf(json, 'final_sigmas_type', FINAL_SIGMAS_TYPES) ?? 'zero',
    algorithmType: algorithmType === 'deis' ? 'dpmsolver++' : algorithmType,
    solverType: solverType === 'heun' ? 'heun' : 'midpoint',
    solverOrder: solverOrderOf(json),
    lowerOrderFinal: flagOf(json, 'lower_order_final'),
    eulerAtFinal: flagOf(json, 'euler_at_final') ?? false,
  };
}

function flagOf(json: Record<string, unknown>, key: string): boolean | undefined {
  const value = json[key] ?? undefined;
  if (value !== undefined && typeof value !== 'boolean') throw invalidValue(key, value, 'true or false');
  return value;
}

function solverOrderOf(json: Record<string, unknown>): 1 | 2 | 3 {
  const order = numberOf(json, 'solver_order') ?? 2;
  if (order !== 1 && order !== 2 && order !== 3) throw invalidValue('solver_order', order, '1, 2 or 3');
  return order;
}

function numbersOf(json: Record<string, unknown>, key: string): number[] | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === 'number')) {
    throw invalidValue(key, value, 'a list of numbers');
  }
  return value;
}
