/** DPM-Solver++ in blocks of two or three steps that restart from one sample, as diffusers' DPMSolverSinglestepScheduler. */

import { createDpmSolverSchedule, updateTerms, weightedSum } from './dpm-solver.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

/**
 * Creates DPM-Solver++ singlestep (order 2 unless the config says otherwise) for 1 to numTrainTimesteps inference steps. As
 * diffusers' class it has neither timestep_spacing (always linspace), steps_offset nor rescale_betas_zero_snr.
 */
export function createDpmSolverSinglestepScheduler(
  config: SchedulerConfig,
  numInferenceSteps: number,
): Scheduler {
  const { sigmas, isStochastic, predictOriginal, ...schedule } = createDpmSolverSchedule(
    'DPMSolverSinglestep',
    config,
    numInferenceSteps,
    { spacing: 'linspace', hasZeroSnr: false },
  );
  const { solverOrder, solverType } = config;
  const orders = orderList(config, numInferenceSteps);
  /** The last x0, newest first. */
  let originals: Float32Array[] = [];
  /** The sample at the start of the current block. */
  let blockSample: Float32Array = new Float32Array();

  return {
    ...schedule,
    step(modelOutput, index, sample, generator) {
      const original = predictOriginal(modelOutput, index, sample);
      originals = [original, ...originals].slice(0, solverOrder);
      // img2img can start inside a block; until enough x0 are known the order stays lower.
      const order = Math.min(orders[index]!, originals.length);
      if (order === 1) blockSample = sample;
      const blockStart = index - (order - 1);
      const terms = updateTerms(sigmas[blockStart]!, sigmas[index + 1]!, {
        solverType: order === 3 ? 'heun' : solverType,
        isStochastic,
      });
      const shareOf = (node: number) =>
        (Math.log(sigmas[blockStart]!) - Math.log(sigmas[node]!)) / terms.lambdaStep;
      const weights = [0, 0, 0];
      weights[order - 1]! += terms.ofValue;
      if (order > 1) {
        const newest = shareOf(index);
        const middle = order === 3 && solverType === 'heun' ? shareOf(index - 1) : undefined;
        // Slope and curvature at the block's start, through its newest x0 and, for the full third order, its middle one.
        const ofNewest =
          middle === undefined
            ? terms.ofSlope
            : (-middle * terms.ofSlope + 2 * terms.ofCurvature) / (newest - middle);
        const ofMiddle =
          middle === undefined ? 0 : (newest * terms.ofSlope - 2 * terms.ofCurvature) / (newest - middle);
        weights[0]! += ofNewest / newest;
        if (middle !== undefined) weights[1]! += ofMiddle / middle;
        weights[order - 1]! -= ofNewest / newest + (middle === undefined ? 0 : ofMiddle / middle);
      }
      const noise = isStochastic ? generator.normal(sample.length) : undefined;
      const previousSample = weightedSum(order === 1 ? sample : blockSample, terms.ofSample, [
        ...originals.map((values, age) => [weights[age]!, values] as const),
        ...(noise ? [[terms.ofNoise, noise] as const] : []),
      ]);
      return { previousSample, predictedOriginal: original };
    },
  };
}

/**
 * The order of each step: blocks of 1, 2(, 3), the last of them cut short where the steps do not fill it. The last step is of order
 * 1 where it reaches sigma 0, or where `lower_order_final` asks for it.
 */
function orderList(config: SchedulerConfig, steps: number): number[] {
  const { solverOrder, finalSigmasType } = config;
  const orders = Array.from({ length: steps }, (_, index) => (index % solverOrder) + 1);
  const isLastBlockFull = steps % solverOrder === 0;
  if (finalSigmasType === 'zero' || (config.lowerOrderFinal && isLastBlockFull)) orders[steps - 1] = 1;
  return orders;
}
