/** DPM-Solver++ that reuses the clean samples of earlier steps, as diffusers' DPMSolverMultistepScheduler. */

import { createDpmSolverSchedule, updateTerms, weightedSum } from './dpm-solver.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

/** Below this many steps `lower_order_final` lowers the order of the last two (diffusers' number). */
const FEW_STEPS = 15;

/** Creates DPM-Solver++ multistep (order 2 unless the config says otherwise) for 1 to numTrainTimesteps inference steps. */
export function createDpmSolverMultistepScheduler(
  config: SchedulerConfig,
  numInferenceSteps: number,
): Scheduler {
  const { sigmas, isStochastic, predictOriginal, ...schedule } = createDpmSolverSchedule(
    'DPMSolverMultistep',
    config,
    numInferenceSteps,
    { spacing: config.timestepSpacing ?? 'linspace', hasZeroSnr: true },
  );
  const { solverOrder, solverType } = config;
  const count = schedule.timesteps.length;
  const isShortened = (config.lowerOrderFinal ?? true) && count < FEW_STEPS;
  const isLastFirstOrder = config.eulerAtFinal || isShortened || config.finalSigmasType === 'zero';
  /** The last x0, newest first. */
  let originals: Float32Array[] = [];

  function orderOf(index: number): number {
    if (index === count - 1 && isLastFirstOrder) return 1;
    const order = Math.min(solverOrder, originals.length);
    return index === count - 2 && isShortened ? Math.min(order, 2) : order;
  }

  /** -ln(sigma) grows as noise shrinks; this is the step that led to `index`, as a share of the step ahead. */
  function pastStep(index: number, lambdaStep: number): number {
    return (Math.log(sigmas[index - 1]!) - Math.log(sigmas[index]!)) / lambdaStep;
  }

  return {
    ...schedule,
    step(modelOutput, index, sample, generator) {
      const original = predictOriginal(modelOutput, index, sample);
      originals = [original, ...originals].slice(0, solverOrder);
      const order = orderOf(index);
      // The third order has one form; it is the one that integrates the slope.
      const terms = updateTerms(sigmas[index]!, sigmas[index + 1]!, {
        solverType: order === 3 ? 'heun' : solverType,
        isStochastic,
      });
      const weights = [terms.ofValue, 0, 0];
      if (order >= 2) {
        const past = pastStep(index, terms.lambdaStep);
        const older = order === 3 ? pastStep(index - 1, terms.lambdaStep) : 1;
        // Newton's divided differences over the nodes 0, -past and -past - older, in units of the step ahead.
        const blend = order === 3 ? past / (past + older) : 0;
        const ofNear = terms.ofSlope * (1 + blend) + (order === 3 ? terms.ofCurvature / (past + older) : 0);
        const ofFar = -terms.ofSlope * blend - (order === 3 ? terms.ofCurvature / (past + older) : 0);
        weights[0]! += ofNear / past;
        weights[1]! += -ofNear / past + ofFar / older;
        weights[2]! -= ofFar / older;
      }
      const noise = isStochastic ? generator.normal(sample.length) : undefined;
      const previousSample = weightedSum(sample, terms.ofSample, [
        ...originals.map((values, age) => [weights[age]!, values] as const),
        ...(noise ? [[terms.ofNoise, noise] as const] : []),
      ]);
      return { previousSample, predictedOriginal: original };
    },
  };
}
