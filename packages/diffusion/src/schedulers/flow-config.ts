/** Reads scheduler_config.json of models that were trained by flow matching, where sample = (1 - sigma) * x0 + sigma * noise. */

import { DiffusionError } from '../errors.ts';
import { choiceOf, invalidValue, numberOf } from './config-values.ts';

/** The diffusers classes of this kind that exist here. */
export const FLOW_SCHEDULER_CLASSES = ['UniPCMultistepScheduler', 'FlowMatchEulerDiscreteScheduler'] as const;

const SOLVER_TYPES = ['bh1', 'bh2', 'midpoint', 'heun', 'logrho'] as const;

/** A scheduler of flow matching by its diffusers class. */
export type FlowSchedulerClass = (typeof FLOW_SCHEDULER_CLASSES)[number];

/** How the noise is taken away. */
export interface FlowSchedulerConfig {
  readonly schedulerClass: FlowSchedulerClass;
  readonly numTrainTimesteps: number;
  /** Above 1, more of the steps are spent where the noise is high: Wan 2.1 has 3 for 480p and 5 for 720p. */
  readonly shift: number;
  /** UniPC only, like all that follow. */
  readonly solverOrder: 1 | 2;
  readonly solverType: 'bh1' | 'bh2';
  readonly finalSigmasType: 'zero' | 'sigma_min';
  /** Steps after which the sample is not corrected. */
  readonly disableCorrector: readonly number[];
}

/** What changes the result and is not implemented: refused rather than ignored. The value is the one that changes nothing. */
const ONLY: Record<FlowSchedulerClass, Readonly<Record<string, unknown>>> = {
  UniPCMultistepScheduler: {
    prediction_type: 'flow_prediction',
    use_flow_sigmas: true,
    predict_x0: true,
    // Without it diffusers' own last step is NaN here.
    lower_order_final: true,
    thresholding: false,
    solver_p: null,
  },
  FlowMatchEulerDiscreteScheduler: { invert_sigmas: false, stochastic_sampling: false },
};
const ONLY_OF_BOTH = {
  use_dynamic_shifting: false,
  shift_terminal: null,
  use_karras_sigmas: false,
  use_exponential_sigmas: false,
  use_beta_sigmas: false,
};
/** What the class has where the file says nothing, if that is not the value above: then silence is refused too. */
const DEFAULTS: Readonly<Record<string, unknown>> = { prediction_type: 'epsilon', use_flow_sigmas: false };

/** Parses a scheduler_config.json; throws `unsupported` for another class or option, `model_folder_invalid` for a bad value. */
export function parseFlowSchedulerConfig(json: Record<string, unknown>): FlowSchedulerConfig {
  const schedulerClass = FLOW_SCHEDULER_CLASSES.find((name) => name === json['_class_name']);
  if (!schedulerClass) {
    throw new DiffusionError(
      'unsupported',
      `scheduler_config.json has _class_name ${JSON.stringify(json['_class_name'])}; videos are made with ${FLOW_SCHEDULER_CLASSES.join(' or ')}.`,
    );
  }
  for (const [key, expected] of Object.entries({ ...ONLY[schedulerClass], ...ONLY_OF_BOTH })) {
    const value = json[key] ?? DEFAULTS[key] ?? expected;
    if (value !== expected) {
      throw new DiffusionError(
        'unsupported',
        `scheduler_config.json has ${key} ${JSON.stringify(value)}; ${schedulerClass} is available with ${JSON.stringify(expected)}.`,
      );
    }
  }
  const disableCorrector = json['disable_corrector'] ?? [];
  if (!Array.isArray(disableCorrector) || !disableCorrector.every(Number.isInteger)) {
    throw invalidValue('disable_corrector', disableCorrector, 'a list of whole numbers');
  }
  return {
    schedulerClass,
    numTrainTimesteps: positiveNumberOf(json, 'num_train_timesteps') ?? 1000,
    shift: positiveNumberOf(json, schedulerClass === 'UniPCMultistepScheduler' ? 'flow_shift' : 'shift') ?? 1,
    solverOrder: choiceOf(json, 'solver_order', [1, 2] as const) ?? 2,
    // The others are DPM-Solver's names, in configs written for it; diffusers takes bh2 for them.
    solverType: choiceOf(json, 'solver_type', SOLVER_TYPES) === 'bh1' ? 'bh1' : 'bh2',
    finalSigmasType: choiceOf(json, 'final_sigmas_type', ['zero', 'sigma_min'] as const) ?? 'zero',
    disableCorrector,
  };
}

function positiveNumberOf(json: Record<string, unknown>, key: string): number | undefined {
  const value = numberOf(json, key);
  if (value !== undefined && value <= 0) throw invalidValue(key, value, 'a number above 0');
  return value;
}
