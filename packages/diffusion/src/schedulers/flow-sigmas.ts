/** How the noise levels of flow matching are spread over the steps. */

/** Moves levels between 0 and 1 upwards (section 5.3.2 of arXiv 2403.03206); 0 and 1 stay, and a shift of 1 changes nothing. */
export function shiftSigma(sigma: number, shift: number): number {
  return (shift * sigma) / (1 + (shift - 1) * sigma);
}

/** Stretches levels from the first one down, so that the last one is `terminal`; undefined leaves them alone. */
export function stretchToTerminal(sigmas: readonly number[], terminal: number | undefined): readonly number[] {
  if (terminal === undefined) return sigmas;
  const scale = (1 - sigmas[sigmas.length - 1]!) / (1 - terminal);
  return sigmas.map((sigma) => 1 - (1 - sigma) / scale);
}

/** `count` numbers from `first` in equal steps; `intervals` of them lead to `last` (numpy's linspace, in its order of operations). */
export function equalSteps(first: number, last: number, count: number, intervals: number): number[] {
  const step = intervals > 0 ? (last - first) / intervals : 0;
  return Array.from({ length: count }, (_, index) => index * step + first);
}
