/** `npm run bench:firestore`: our Firestore, which writes to disk, and a peer that keeps all in memory, turn by turn. */
import { type ComparedRow, comparedTable, figuresOf, significant } from '../figures.ts';
import { describeMachine } from '../machine.ts';
import { measureBrowserLatencies } from './browser-latency.ts';
import { measureLargeCollection, measureLatencies, measureWrites, withServer } from './measurements.ts';
import { installPeer, ours, type ServerProgram, startServer } from './server-program.ts';

const peer = installPeer();
/** As many as the peer loads in a minute; ours is measured alone with ten times as many. */
const documents = Number(process.env['BENCH_DOCUMENTS'] ?? 10_000);

console.log(describeMachine());

const starts = await both(async (program) => {
  const readiesMs: number[] = [];
  for (let start = 0; start < 5; start += 1) {
    const server = await startServer(program);
    readiesMs.push(server.readyMs);
    await server.close();
  }
  return readiesMs;
});
const writes = await both((program) => withServer(program, (firestore) => measureWrites(firestore, 3)));
const latencies = await both((program) =>
  withServer(program, (firestore) => measureLatencies(firestore, { listeners: 1, writes: 200 })),
);
const fanOuts = await both((program) =>
  withServer(program, (firestore) => measureLatencies(firestore, { listeners: 200, writes: 20 })),
);
const large = await both((program) =>
  withServer(program, (firestore, server) => measureLargeCollection(firestore, server, documents)),
);

const rows: ComparedRow[] = [
  row('start → ready', 'ms', '≤ 500 ms', starts, (readiesMs) => readiesMs),
  row('writes, one after the other', '1/s', '', writes, ({ sequentialPerSecond }) => [sequentialPerSecond]),
  row('writes, fifty at a time', '1/s', '', writes, ({ parallelPerSecond }) => [parallelPerSecond]),
  row('commit sent → listener, Admin SDK', 'ms', '', latencies, (all) => all),
  row('commit sent → the last of 200 listeners', 'ms', '', fanOuts, (all) => all),
  row(`loading ${documents} documents in batches`, '1/s', '', large, ({ loadedPerSecond }) => [
    loadedPerSecond,
  ]),
  row('a query for 20 of them', 'ms', '≤ 5 ms', large, ({ queriesMs }) => queriesMs),
  row('resident memory with them', 'MiB', '', large, ({ memory }) => [memory.residentMebibytes]),
];
console.log(`\n${comparedTable(ours.name, peer.name, rows)}\n`);

const more = await withServer(ours, (firestore, server) =>
  measureLargeCollection(firestore, server, documents * 10),
);
console.log(
  `With ${documents * 10} documents: ${significant(figuresOf(more.queriesMs).median)} ms for the same query (goal ≤ 5 ms), ` +
    `${significant(more.memory.residentMebibytes)} MiB resident, ${significant(more.loadedPerSecond)} documents loaded a second.`,
);

const browser = await withServer(ours, (firestore, { port }) =>
  measureBrowserLatencies(firestore, port, 200),
);
const sorted = browser.toSorted((a, b) => a - b);
console.log(
  `Commit sent → callback of the web SDK in Chromium, which the peer cannot serve: p50 ${quantile(0.5)} ms, ` +
    `p90 ${quantile(0.9)} ms, p99 ${quantile(0.99)} ms (n ${sorted.length}); goal p50 ≤ 10 ms.`,
);

function quantile(share: number): string {
  return significant(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
}

interface Both<Sample> {
  ours: Sample;
  peer: Sample;
}

async function both<Sample>(measure: (program: ServerProgram) => Promise<Sample>): Promise<Both<Sample>> {
  return { ours: await measure(ours), peer: await measure(peer) };
}

function row<Sample>(
  what: string,
  unit: string,
  goal: string,
  samples: Both<Sample>,
  read: (sample: Sample) => number[],
): ComparedRow {
  return { what, unit, goal, ours: figuresOf(read(samples.ours)), peer: figuresOf(read(samples.peer)) };
}
