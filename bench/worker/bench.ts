/** `npm run bench:worker`: our RunPod worker and runpod-python's on the same local RunPod, turn by turn in one run. */
import { type ComparedRow, comparedTable, figuresOf } from '../figures.ts';
import { describeMachine } from '../machine.ts';
import { measureCancel, measureIdleInterpreter, measureLoad, measureStart } from './measurements.ts';
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
// Ten jobs of ours are over too soon to be timed; runpod-python's loop sleeps, ten take it ten seconds.
const oneByOne = await inTurns((program) =>
  measureLoad(program, { jobs: program === ours ? 1_000 : 10, concurrency: 1 }),
);
// As many on both sides, since memory is read after them.
const tenAtOnce = await inTurns((program) => measureLoad(program, { jobs: 200, concurrency: 10 }));
const idle = await inTurns(measureIdleInterpreter);

const rows: ComparedRow[] = [
  compare('jobs per second, one at a time', '1/s', '≥ 5', oneByOne, ({ jobsPerSecond }) => jobsPerSecond),
  compare('jobs per second, ten at a time', '1/s', '≥ 5', tenAtOnce, ({ jobsPerSecond }) => jobsPerSecond),
  compare('process start → first job taken', 'ms', '≤ 0.25', starts, (milliseconds) => milliseconds),
  compare(
    'anonymous memory after 200 jobs',
    'MiB',
    '≤ 0.5',
    tenAtOnce,
    (each) => each.memory.anonymousMebibytes,
  ),
  compare('resident memory after 200 jobs', 'MiB', '', tenAtOnce, (each) => each.memory.residentMebibytes),
  compare('resident memory of node and python alone', 'MiB', '', idle, (memory) => memory.residentMebibytes),
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
