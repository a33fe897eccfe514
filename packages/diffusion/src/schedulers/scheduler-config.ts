/** Reads scheduler_config.json: diffusers' keys, checked, with undefined where each scheduler class has a default of its own. */

import { DiffusionError } from '../errors.ts';

const BETA_SCHEDULES = ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const;
const PREDICTION_TYPES = ['epsilon', 'v_prediction', 'sample'] as const;
const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const;
const FINAL_SIGMAS_TYPES = ['zero', 'sigma_min'] as const;

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
  /** Absent: DDIM takes leading, Euler linspace, as diffusers' classes do. */
  readonly timestepSpacing: TimestepSpacing | undefined;
  readonly stepsOffset: number;
  readonly setAlphaToOne: boolean;
  /**
   * Absent means false here. diffusers' DDIM class has true, meant for pixels: a config that was written for another class and so
   * lacks the key would then have its latents clipped to [-1, 1] and its picture ruined.
   */
  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  readonly useKarrasSigmas: boolean;
  readonly sigmaMin: number | undefined;
  readonly sigmaMax: number | undefined;
  readonly finalSigmasType: (typeof FINAL_SIGMAS_TYPES)[number];
}

/** Options of diffusers that change the result and that no scheduler here has; set, they are refused rather than ignored. */
const UNSUPPORTED_WHEN_TRUE = [
  'thresholding',
  'use_exponential_sigmas',
  'use_beta_sigmas',
  'use_flow_sigmas',
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
  return {
    numTrainTimesteps: numberOf(json, 'num_train_timesteps') ?? 1000,
    betaStart: numberOf(json, 'beta_start') ?? 0.0001,
    betaEnd: numberOf(json, 'beta_end') ?? 0.02,
    betaSchedule: choiceOf(json, 'beta_schedule', BETA_SCHEDULES) ?? 'linear',
    trainedBetas: numbersOf(json, 'trained_betas'),
    rescaleBetasZeroSnr: json['rescale_betas_zero_snr'] === true,
    predictionType: choiceOf(json, 'prediction_type', PREDICTION_TYPES) ?? 'epsilon',
    timestepSpacing: choiceOf(json, 'timestep_spacing', TIMESTEP_SPACINGS),
    stepsOffset: numberOf(json, 'steps_offset') ?? 0,
    setAlphaToOne: json['set_alpha_to_one'] !== false,
    clipSample: json['clip_sample'] === true,
    clipSampleRange: numberOf(json, 'clip_sample_range') ?? 1,
    useKarrasSigmas: json['use_karras_sigmas'] === true,
    sigmaMin: numberOf(json, 'sigma_min'),
    sigmaMax: numberOf(json, 'sigma_max'),
    finalSigmasType: choiceOf(json, 'final_sigmas_type', FINAL_SIGMAS_TYPES) ?? 'zero',
  };
}

function invalid(key: string, value: unknown, expected: string): DiffusionError {
  return new DiffusionError(
    'model_folder_invalid',
    `scheduler_config.json: ${key} is ${JSON.stringify(value)}; expected ${expected}.`,
  );
}

function numberOf(json: Record<string, unknown>, key: string): number | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(key, value, 'a number');
  return value;
}

function numbersOf(json: Record<string, unknown>, key: string): number[] | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === 'number')) {
    throw invalid(key, value, 'a list of numbers');
  }
  return value;
}

function choiceOf<Choice extends string>(
  json: Record<string, unknown>,
  key: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw invalid(key, value, `one of ${choices.join(', ')}`);
  return choice;
}
