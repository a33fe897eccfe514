/** Noise levels spaced by a rule of their own instead of the timesteps', and their way back to timesteps. */

const RHO = 7;

/** The ends of a spacing and the config's own ends, which win. */
export interface SigmaRange {
  readonly largest: number;
  readonly smallest: number;
}

/** `count` sigmas from the largest to the smallest by the rule of Karras et al. (arXiv 2206.00364, equation 5). */
export function karrasSigmas(count: number, { largest, smallest }: SigmaRange): number[] {
  const start = largest ** (1 / RHO);
  const end = smallest ** (1 / RHO);
  return ramp(count).map((share) => (start + share * (end - start)) ** RHO);
}

/** `count` sigmas from the largest to the smallest, evenly spaced in their logarithm. */
export function exponentialSigmas(count: number, { largest, smallest }: SigmaRange): number[] {
  const start = Math.log(largest);
  const end = Math.log(smallest);
  const stride = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, index) =>
    Math.exp(index === 0 ? start : index === count - 1 ? end : start + index * stride),
  );
}

/** The fractional timestep at which training had this sigma, linear in log sigma; `levels` ascend with the timestep. */
export function sigmaToTimestep(sigma: number, levels: Float32Array): number {
  // Logarithms of levels are float32 in diffusers and that of sigma is float64; a cast to whole timesteps shows the difference.
  const logLevel = (index: number) => Math.fround(Math.log(levels[index]!));
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  let below = 0;
  while (below < levels.length - 2 && logLevel(below + 1) <= logSigma) below++;
  const low = logLevel(below);
  const high = logLevel(below + 1);
  const weight = Math.min(Math.max((low - logSigma) / (low - high), 0), 1);
  return (1 - weight) * below + weight * (below + 1);
}

/** 0 to 1 in `count` points, as numpy.linspace. */
function ramp(count: number): number[] {
  const stride = 1 / (count - 1);
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? 0 : index === count - 1 ? 1 : index * stride,
  );
}
