/**
 * UniPC (arXiv 2302.04867) on the flow's schedule, as diffusers' UniPCMultistepScheduler with `use_flow_sigmas`: each model output
 * first corrects the step that led to it, then the next step is predicted from it and from earlier ones.
 */

import type { FlowSchedulerConfig } from './flow-config.ts';
import { equalSteps, shiftSigma } from './flow-sigmas.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';
import { updateWeights } from './unipc-weights.ts';

/** Keeps the first level below 1, where the signal would be 0 and its logarithm infinite. */
const SMALLEST_SIGNAL = 1e-6;

/** Creates it for a number of inference steps. Timesteps are whole numbers, cut off as diffusers does. */
export function createUniPcScheduler(config: FlowSchedulerConfig, numInferenceSteps: number): Scheduler {
  const { numTrainTimesteps, solverOrder, solverType } = config;
  const levels = spacedLevels(config, numInferenceSteps);
  const final = config.finalSigmasType === 'sigma_min' ? levels[levels.length - 1]! : 0;
  const sigmas = Float32Array.from([...levels, final]);
  /** The clean samples that the last outputs implied, newest first. */
  let originals: Float32Array[] = [];
  /** Where the last step began, and its order: what the next output corrects. */
  let last: { sample: Float32Array; order: number } | undefined;

  /** The sample at `index + 1` from the one at `index`; `ahead` is x0 as seen from there, which makes it a correction. */
  function advance(index: number, sample: Float32Array, order: number, ahead?: Float32Array): Float32Array {
    const history = originals.slice(0, order);
    const levelsBack = history.map((_, age) => sigmas[index - age]!);
    const weights = updateWeights(sigmas[index + 1]!, levelsBack, {
      solverType,
      isCorrection: ahead !== undefined,
    });
    const terms = ahead ? [...history, ahead] : history;
    // Plain loops: with callbacks and iterators for each element this was most of the time that is not the network's.
    const next = new Float32Array(sample.length);
    for (let element = 0; element < next.length; element += 1) {
      let sum = weights.ofSample * sample[element]!;
      for (let term = 0; term < terms.length; term += 1)
        sum += weights.ofOriginals[term]! * terms[term]![element]!;
      next[element] = sum;
    }
    return next;
  }

  return {
    timesteps: levels.map((sigma) => Math.trunc(sigma * numTrainTimesteps)),
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    step(velocity, index, sample) {
      const sigma = sigmas[index]!;
      const original = sample.map((value, element) => value - sigma * velocity[element]!);
      const isCorrected = last !== undefined && !config.disableCorrector.includes(index - 1);
      const current = isCorrected ? advance(index - 1, last!.sample, last!.order, original) : sample;
      originals = [original, ...originals].slice(0, solverOrder);
      // Few steps are left at the end and few outputs known at the start: the order falls to 1 at both.
      const order = Math.min(solverOrder, originals.length, numInferenceSteps - index);
      last = { sample: current, order };
      return { previousSample: advance(index, current, order), predictedOriginal: original };
    },
    addNoise: (clean, noise, index) => mixNoise(clean, noise, 1 - sigmas[index]!, sigmas[index]!),
  };
}

function spacedLevels({ numTrainTimesteps, shift }: FlowSchedulerConfig, count: number): number[] {
  const spaced = equalSteps(1, 1 / numTrainTimesteps, count, count);
  const [first = 1, ...others] = spaced.map((sigma) => shiftSigma(sigma, shift));
  return [Math.abs(first - 1) < SMALLEST_SIGNAL ? first - SMALLEST_SIGNAL : first, ...others];
}
