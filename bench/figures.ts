/** Figures of repeated measurements: what was seen in the middle and at the edges, and ours over the peer's. */

/** Some measurements of one thing, smallest first. */
export interface Figures {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** @throws {Error} when there is nothing to sum up */
export function figuresOf(samples: readonly number[]): Figures {
  if (samples.length === 0) throw new Error('There are no samples to sum up.');
  const sorted = samples.toSorted((a, b) => a - b);
  return { median: medianOf(sorted), min: sorted[0]!, max: sorted.at(-1)!, count: sorted.length };
}

function medianOf(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One line of a bench's table. */
export interface ComparedRow {
  readonly what: string;
  readonly unit: string;
  readonly ours: Figures;
  readonly peer: Figures;
  /** What is aimed at for the ratio ours / peer, e.g. `≤ 0.5` or `≥ 5`. */
  readonly goal: string;
}

/** A Markdown table: medians with the range behind them, and the ratio of the medians. */
export function comparedTable(oursName: string, peerName: string, rows: readonly ComparedRow[]): string {
  const lines = rows.map(({ what, unit, ours, peer, goal }) => {
    const ratio = ours.median / peer.median;
    return `| ${what} (${unit}) | ${shown(ours)} | ${shown(peer)} | **${significant(ratio)}×** | ${goal} |`;
  });
  return [`| | ${oursName} | ${peerName} | ratio | goal |`, '| --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  );
}

function shown({ median, min, max, count }: Figures): string {
  return count === 1
    ? significant(median)
    : `${significant(median)} (${significant(min)} – ${significant(max)}, n ${count})`;
}

/** Three significant digits, never as a power of ten. */
export function significant(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en-US', {
    maximumFractionDigits: 20,
    useGrouping: false,
  });
}
