/** The numbers of one UniPC update (arXiv 2302.04867, x0 prediction): how much of the sample and of each x0 goes into the next sample. */

/** One update as a weighted sum. */
export interface UpdateWeights {
  readonly ofSample: number;
  /** For each x0, newest first; in a correction the x0 at the end of the step comes last. */
  readonly ofOriginals: readonly number[];
}

/**
 * The step to level `sigmaTo` from `sigmasBack[0]`, where x0 was also predicted at the older levels `sigmasBack[1]` and so on; their
 * number is the order. Levels are of the flow: signal 1 - sigma. For order 1 of the correction and order 2 of the prediction the
 * paper's B(h) makes the answer 1/2 whatever the step, which is taken here as diffusers does.
 */
export function updateWeights(
  sigmaTo: number,
  sigmasBack: readonly number[],
  { solverType, isCorrection }: { solverType: 'bh1' | 'bh2'; isCorrection: boolean },
): UpdateWeights {
  const sigmaFrom = sigmasBack[0]!;
  const order = sigmasBack.length;
  const step = logSignalToNoise(sigmaTo) - logSignalToNoise(sigmaFrom);
  const decay = Math.expm1(-step);
  const scale = solverType === 'bh1' ? -step : decay;
  const signal = 1 - sigmaTo;
  /** Where x0 is known besides the start, as shares of the step: negative ones behind, 1 at its end. */
  const places = sigmasBack
    .slice(1)
    .map((sigma) => (logSignalToNoise(sigma) - logSignalToNoise(sigmaFrom)) / step);
  if (isCorrection) places.push(1);

  const isHalf = places.length === 1 && (isCorrection ? order === 1 : order === 2);
  const shares = isHalf ? [0.5] : solve(places, rightSide(step, scale, places.length));
  // Each difference (x0 there - x0 at the start) / place, times its share.
  const slopes = shares.map((share, index) => (-signal * scale * share) / places[index]!);
  const ofStart = -signal * decay - slopes.reduce((sum, slope) => sum + slope, 0);
  return { ofSample: sigmaTo / sigmaFrom, ofOriginals: [ofStart, ...slopes] };
}

/** lambda = ln(signal / sigma). */
function logSignalToNoise(sigma: number): number {
  return Math.log(1 - sigma) - Math.log(sigma);
}

/** b of the paper's R(h) a = b: k! * phi_{k+1}(-h) * (-h) / B(h) for k = 1, 2, ... */
function rightSide(step: number, scale: number, length: number): number[] {
  const values: number[] = [];
  let phi = Math.expm1(-step) / -step - 1;
  let factorial = 1;
  for (let index = 1; index <= length; index++) {
    values.push((phi * factorial) / scale);
    factorial *= index + 1;
    phi = phi / -step - 1 / factorial;
  }
  return values;
}

/** Solves sum_j places[j]^k * x[j] = values[k] for k = 0, 1, ...: one to three unknowns, by elimination. */
function solve(places: readonly number[], values: readonly number[]): number[] {
  const rows = values.map((value, power) => [...places.map((place) => place ** power), value]);
  const size = places.length;
  for (let pivot = 0; pivot < size; pivot++) {
    for (let row = pivot + 1; row < size; row++) {
      const factor = rows[row]![pivot]! / rows[pivot]![pivot]!;
      rows[row] = rows[row]!.map((value, column) => value - factor * rows[pivot]![column]!);
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let row = size - 1; row >= 0; row--) {
    const known = solution.reduce((sum, value, column) => sum + value * rows[row]![column]!, 0);
    solution[row] = (rows[row]![size]! - known) / rows[row]![row]!;
  }
  return solution;
}
