/** The training noise schedule: betas, their cumulative products and sigmas, in float32 as torch computes them. */

import { roundHalfToEven } from '../rounding.ts';
import type { SchedulerConfig, TimestepSpacing } from './scheduler-config.ts';

const { fround } = Math;

/** The share of signal that is left at each training step: cumprod(1 - beta), float32, index = timestep. */
export function alphasCumprod(config: SchedulerConfig): Float32Array {
  const betas = trainingBetas(config);
  if (config.rescaleBetasZeroSnr) rescaleToZeroTerminalSnr(betas);
  return cumulativeProduct(betas.map((beta) => 1 - beta));
}

/** The noise level of each training step in sigma space: sqrt((1 - A) / A), float32, index = timestep. */
export function trainingSigmas(alphas: Float32Array): Float32Array {
  return alphas.map((alpha) => Math.sqrt(fround(fround(1 - alpha) / alpha)));
}

/**
 * The timesteps of `steps` inference steps, descending. With linspace they are fractional: DDIM rounds them, Euler does not.
 * Each form repeats numpy's order of operations, because another order moves a rounded timestep by one at some step counts.
 */
export function spacedTimesteps(config: SchedulerConfig, spacing: TimestepSpacing, steps: number): number[] {
  const total = config.numTrainTimesteps;
  switch (spacing) {
    case 'linspace': {
      const stride = (total - 1) / (steps - 1);
      return Array.from({ length: steps }, (_, index) =>
        index === 0 ? (steps === 1 ? 0 : total - 1) : (steps - 1 - index) * stride,
      );
    }
    case 'leading': {
      const stride = Math.floor(total / steps);
      return Array.from({ length: steps }, (_, index) => (steps - 1 - index) * stride + config.stepsOffset);
    }
    case 'trailing': {
      const stride = total / steps;
      // numpy.arange steps by the difference of its first two values, which differs from -stride in the last bit.
      const difference = total - stride - total;
      // At some counts (61, 103, ...) its rounding also yields one value too many, timestep -1, and diffusers takes that step.
      // Not here: alpha[-1] is the last training step, pure noise.
      return Array.from({ length: steps }, (_, index) => roundHalfToEven(total + index * difference) - 1);
    }
  }
}

function trainingBetas(config: SchedulerConfig): Float32Array {
  const { betaStart, betaEnd, numTrainTimesteps } = config;
  if (config.trainedBetas) return Float32Array.from(config.trainedBetas);
  switch (config.betaSchedule) {
    case 'linear':
      return linspace(betaStart, betaEnd, numTrainTimesteps);
    case 'scaled_linear':
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), numTrainTimesteps).map((root) => root * root);
    case 'squaredcos_cap_v2':
      return Float32Array.from({ length: numTrainTimesteps }, (_, index) =>
        Math.min(
          1 - cosineAlpha((index + 1) / numTrainTimesteps) / cosineAlpha(index / numTrainTimesteps),
          0.999,
        ),
      );
  }
}

/** The cosine schedule of Improved DDPM (arXiv 2102.09672, equation 17). */
function cosineAlpha(time: number): number {
  return Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2;
}

/** Algorithm 1 of arXiv 2305.08891, in place: shifts and scales sqrt(A), so that the last step holds no signal. */
function rescaleToZeroTerminalSnr(betas: Float32Array): void {
  const roots = cumulativeProduct(betas.map((beta) => 1 - beta)).map(Math.sqrt);
  const first = roots[0]!;
  const last = roots[roots.length - 1]!;
  const scale = fround(first / fround(first - last));
  const squares = roots.map((root) => fround(fround(root - last) * scale) ** 2);
  for (let index = betas.length - 1; index >= 0; index--) {
    betas[index] = 1 - (index === 0 ? squares[0]! : fround(squares[index]! / squares[index - 1]!));
  }
}

/** torch.linspace: counts from the start in the first half and from the end in the second, in float32. */
function linspace(start: number, end: number, length: number): Float32Array {
  const stride = fround(fround(fround(end) - fround(start)) / (length - 1));
  return Float32Array.from({ length }, (_, index) =>
    index < length / 2
      ? fround(start) + fround(stride * index)
      : fround(end) - fround(stride * (length - 1 - index)),
  );
}

function cumulativeProduct(values: Float32Array): Float32Array {
  let product = 1;
  return values.map((value) => {
    product *= value;
    return product;
  });
}
