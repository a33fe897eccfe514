/** `npm run bench:worker`: our RunPod worker and runpod-python's on the same local RunPod, turn by turn in one run. */
import { type ComparedRow, comparedTable, figuresOf } from '../figures.ts';
import { describeMachine } from '../machine.ts';
import { measureCancel, measureLoad, measureStart } from './measurements.ts';
import { measureOverheadMs } from './overhead.ts';
import { installRunpodPython } from './runpod-python.ts';
import { nodeWorker, pythonWorker, type WorkerProgram } from './worker-program.ts';

const python = installRunpodPython();
// For the tests that want the peer too.
if (process.argv.includes('--install-only')) process.exit(0);

const ours = nodeWorker('no-op.mjs');
const peer = pythonWorker(python, 'no_op.py');
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);

console.log(describeMachine());

const starts = await inTurns((program) => measureStart(program).then(({ firstTakeMs }) => firstTakeMs));
const cancels = await inTurns(measureCancel);
const few = await inTurns((program) => measureLoad(program, { jobs: 10, concurrency: 1 }));
// Ten jobs of ours are over too soon to be timed; runpod-python's loop sleeps, ten take it ten seconds.
const oneByOne = {
  ours: await repeated(() => measureLoad(ours, { jobs: 1_000, concurrency: 1 })),
  peer: few.peer,
};
const tenAtOnce = await inTurns((program) =>
  measureLoad(program, { jobs: program === ours ? 2_000 : 200, concurrency: 10 }),
);

const rows: ComparedRow[] = [
  compare('jobs per second, one at a time', '1/s', '≥ 5', oneByOne, ({ jobsPerSecond }) => jobsPerSecond),
  compare('jobs per second, ten at a time', '1/s', '≥ 5', tenAtOnce, ({ jobsPerSecond }) => jobsPerSecond),
  compare('process start → first job taken', 'ms', '≤ 0.25', starts, (milliseconds) => milliseconds),
  compare('anonymous memory after ten jobs', 'MiB', '≤ 0.5', few, ({ memory }) => memory.anonymousMebibytes),
  compare('resident memory after ten jobs', 'MiB', '', few, ({ memory }) => memory.residentMebibytes),
  compare('cancel → handler stopped', 'ms', '', cancels, (milliseconds) => milliseconds),
];
console.log(`\n${comparedTable('firepod', 'runpod-python 1.12', rows)}\n`);

const overhead = figuresOf(await measureOverheadMs());
console.log(
  `The whole worker, take → completed document, without the engine's own time: p50 ${overhead.median.toFixed(1)} ms ` +
    `(${overhead.min.toFixed(1)} – ${overhead.max.toFixed(1)}, n ${overhead.count}); goal ≤ 60 ms.`,
);

interface Both<Sample> {
  ours: Sample[];
  peer: Sample[];
}

/** Ours, theirs, ours, theirs: what else the machine does meets both alike. */
async function inTurns<Sample>(measure: (program: WorkerProgram) => Promise<Sample>): Promise<Both<Sample>> {
  const both: Both<Sample> = { ours: [], peer: [] };
  await repeated(async () => {
    both.ours.push(await measure(ours));
    both.peer.push(await measure(peer));
  });
  return both;
}

async function repeated<Sample>(measure: () => Promise<Sample>): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (samples.length < rounds) samples.push(await measure());
  return samples;
}

function compare<Sample>(
  what: string,
  unit: string,
  goal: string,
  samples: Both<Sample>,
  read: (sample: Sample) => number,
): ComparedRow {
  return {
    what,
    unit,
    goal,
    ours: figuresOf(samples.ours.map(read)),
    peer: figuresOf(samples.peer.map(read)),
  };
}
