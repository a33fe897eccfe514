/** One case painted by both pipelines, turn by turn: first whether they paint the same, then what it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ComparedRow, comparedTable, figuresOf } from '../figures.ts';
import { peakSignalToNoiseDb } from '../likeness.ts';
import type { NamedCase } from './cases.ts';
import {
  type PaintCase,
  type Painting,
  type RunningPipeline,
  startDiffusers,
  startFirepod,
} from './pipeline-program.ts';

/** Below it they do not paint the same picture, and their times are of different things. */
const LEAST_LIKENESS_DB = 40;

/** Threads that wait for work spin for a while before they sleep: the other side's turn begins after that. */
const PAUSE_MS = 500;

/** What one case showed. */
export interface Comparison {
  readonly likenessDb: number;
  readonly versions: { readonly ours: string; readonly peer: string };
  readonly table: string;
  /** Median of ours, for goals that are no ratios. */
  readonly oursMs: number;
  /** Medians of the time outside the networks over the whole. */
  readonly outsideShare: { readonly ours: number; readonly peer: number };
}

/** @throws {Error} when the two pictures are not the same */
export async function compareSides(
  { name, paintCase }: { name: NamedCase['name']; paintCase: PaintCase },
  python: string,
  rounds: number,
): Promise<Comparison> {
  const ours = await startFirepod(paintCase);
  try {
    const peer = await startDiffusers(python, paintCase);
    try {
      // The first painting of each warms up; it is looked at, not timed.
      const likenessDb = peakSignalToNoiseDb(await ours.paintAndShow(), await peer.paintAndShow());
      if (likenessDb < LEAST_LIKENESS_DB) {
        throw new Error(
          `${name}: the two pictures are ${likenessDb.toFixed(1)} dB alike; expected at least ${LEAST_LIKENESS_DB} dB.`,
        );
      }
      const paintings = { ours: [] as Painting[], peer: [] as Painting[] };
      for (let round = 0; round < rounds; round += 1) {
        paintings.ours.push(await paintRested(ours));
        paintings.peer.push(await paintRested(peer));
      }
      return summary(name, likenessDb, ours, peer, paintings);
    } finally {
      await peer.close();
    }
  } finally {
    await ours.close();
  }
}

async function paintRested(pipeline: RunningPipeline): Promise<Painting> {
  await sleep(PAUSE_MS);
  return pipeline.paint();
}

function summary(
  name: string,
  likenessDb: number,
  ours: RunningPipeline,
  peer: RunningPipeline,
  paintings: { ours: Painting[]; peer: Painting[] },
): Comparison {
  const row = (
    what: string,
    unit: string,
    goal: string,
    read: (painting: Painting) => readonly number[],
  ): ComparedRow => ({
    what,
    unit,
    goal,
    ours: figuresOf(paintings.ours.flatMap(read)),
    peer: figuresOf(paintings.peer.flatMap(read)),
  });
  const outsidePercent = ({ totalMs, networksMs }: Painting) => [(1 - networksMs / totalMs) * 100];
  const outside = row('time outside the networks', '%', '', outsidePercent);
  const total = row('time', 'ms', '≤ 0.8', ({ totalMs }) => [totalMs]);
  const memory: ComparedRow = {
    what: 'peak resident memory of the process',
    unit: 'MiB',
    goal: '≤ 0.6',
    ours: figuresOf([ours.peakMebibytes()]),
    peer: figuresOf([peer.peakMebibytes()]),
  };
  const rows = [total, row('time a step', 'ms', '', ({ stepsMs }) => stepsMs), outside, memory];
  return {
    likenessDb,
    versions: { ours: ours.versions, peer: peer.versions },
    table: comparedTable(name, 'diffusers', rows),
    oursMs: total.ours.median,
    outsideShare: { ours: outside.ours.median / 100, peer: outside.peer.median / 100 },
  };
}
