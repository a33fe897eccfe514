/** The numbers of one UniPC update (arXiv 2302.04867, x0 prediction): how much of the sample and of each x0 goes into the next sample. */

/** One update as a weighted sum. */
export interface UpdateWeights {
  readonly ofSample: number;
  /** For each x0, newest first; in a correction the x0 at the end of the step comes last. */
  readonly ofOriginals: readonly number[];
}

/**
 * The step to level `sigmaTo` from `sigmasBack[0]`; of order 2 when `sigmasBack[1]`, where x0 was predicted before, is given too.
 * Levels are of the flow: signal 1 - sigma.
 */
export function updateWeights(
  sigmaTo: number,
  sigmasBack: readonly number[],
  { solverType, isCorrection }: { solverType: 'bh1' | 'bh2'; isCorrection: boolean },
): UpdateWeights {
  const sigmaFrom = sigmasBack[0]!;
  const step = logSignalToNoise(sigmaTo) - logSignalToNoise(sigmaFrom);
  const decay = Math.expm1(-step);
  const scale = solverType === 'bh1' ? -step : decay;
  const signal = 1 - sigmaTo;
  /** Where x0 is known besides the start, as shares of the step: negative ones behind, 1 at its end. */
  const places = sigmasBack
    .slice(1)
    .map((sigma) => (logSignalToNoise(sigma) - logSignalToNoise(sigmaFrom)) / step);
  if (isCorrection) places.push(1);

  const shares = sharesOf(places, { step, scale });
  // Each difference (x0 there - x0 at the start) / place, times its share.
  const slopes = shares.map((share, index) => (-signal * scale * share) / places[index]!);
  const ofStart = -signal * decay - slopes.reduce((sum, slope) => sum + slope, 0);
  return { ofSample: sigmaTo / sigmaFrom, ofOriginals: [ofStart, ...slopes] };
}

/** lambda = ln(signal / sigma). */
function logSignalToNoise(sigma: number): number {
  return Math.log(1 - sigma) - Math.log(sigma);
}

/**
 * a of the paper's R(h) a = b, for one or two places. One place is taken as 1/2 whatever the step, as diffusers does, in the
 * prediction of order 2 and the correction of order 1.
 */
function sharesOf(places: readonly number[], { step, scale }: { step: number; scale: number }): number[] {
  if (places.length < 2) return places.map(() => 0.5);
  const [first, second] = places as [number, number];
  const phi = Math.expm1(-step) / -step - 1;
  const b1 = phi / scale;
  const b2 = (2 * (phi / -step - 0.5)) / scale;
  const ofSecond = (b2 - first * b1) / (second - first);
  return [b1 - ofSecond, ofSecond];
}
