/** Sigmas spaced by the rule of Karras et al. (arXiv 2206.00364, equation 5), and their way back to timesteps. */

const RHO = 7;

/** As many sigmas as given, from the largest to the smallest of them (or sigma_max and sigma_min of the config). */
export function karrasSigmas(
  sigmas: readonly number[],
  config: { sigmaMin: number | undefined; sigmaMax: number | undefined },
): number[] {
  const smallest = (config.sigmaMin ?? sigmas[sigmas.length - 1]!) ** (1 / RHO);
  const largest = (config.sigmaMax ?? sigmas[0]!) ** (1 / RHO);
  const stride = 1 / (sigmas.length - 1);
  return sigmas.map((_, index) => {
    const ramp = index === 0 ? 0 : index === sigmas.length - 1 ? 1 : index * stride;
    return (largest + ramp * (smallest - largest)) ** RHO;
  });
}

/** The fractional timestep at which training had this sigma, linear in log sigma; `levels` ascend with the timestep. */
export function sigmaToTimestep(sigma: number, levels: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  let below = 0;
  while (below < levels.length - 2 && Math.log(levels[below + 1]!) <= logSigma) below++;
  const low = Math.log(levels[below]!);
  const high = Math.log(levels[below + 1]!);
  const weight = Math.min(Math.max((low - logSigma) / (low - high), 0), 1);
  return below + weight;
}
