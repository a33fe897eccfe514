/** How the noise levels of flow matching are spread over the steps. */

/** Moves levels between 0 and 1 upwards (section 5.3.2 of arXiv 2403.03206); 0 and 1 stay, and a shift of 1 changes nothing. */
export function shiftSigma(sigma: number, shift: number): number {
  return (shift * sigma) / (1 + (shift - 1) * sigma);
}

/** `count` numbers from `first` in equal steps; `intervals` of them lead to `last` (numpy's linspace, in its order of operations). */
export function equalSteps(first: number, last: number, count: number, intervals: number): number[] {
  const step = intervals > 0 ? (last - first) / intervals : 0;
  return Array.from({ length: count }, (_, index) => index * step + first);
}
