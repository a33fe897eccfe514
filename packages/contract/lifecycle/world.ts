/**
 * The world of one generation: the submitting function, two workers, the webhook, the sweep and the user, each of whom
 * can die at any point, be repeated and be late. All of them use the transition function that is handed in.
 */
import type { Decision, decide, TransitionEvent, TransitionPolicy } from '../src/transition.ts';
import type { Writes } from '../src/transition-writes.ts';
import { afterAWhile, commit, createDatabases, type Database, NOW_MS } from './database.ts';
import { faultOfDocuments, faultOfFuture, faultOfWrite } from './rules.ts';
import type { Model, Step } from './search.ts';

/** Two attempts and no grace, so that a lapsed lease is lapsed for everybody. */
const POLICY: TransitionPolicy = {
  attemptsMax: 2,
  leaseSeconds: 30,
  claimRetryMs: 2000,
  dispatchDueMs: 60_000,
  sweepGraceMs: 0,
};

/** Of each attempt's job: what the function that dispatches it has come to. */
const DISPATCHES = ['none', 'to-post', 'posted', 'refused', 'over'] as const;
export type Dispatch = (typeof DISPATCHES)[number];

/** Of each attempt's job: what RunPod has made of it. A live one is delivered as often as RunPod likes. */
const JOBS = ['none', 'live', 'ended'] as const;
type Job = (typeof JOBS)[number];

export type Worker =
  | { readonly at: 'idle'; readonly runs: number }
  /** The claim was sent and its answer lost. */
  | { readonly at: 'claiming'; readonly runs: number; readonly job: number }
  /** `isFresh`: nobody has written the document since this worker's last write. */
  | { readonly at: 'painting'; readonly runs: number; readonly attempt: number; readonly isFresh: boolean }
  /** The completion was sent and its answer lost. */
  | { readonly at: 'completing'; readonly runs: number; readonly attempt: number };

/** A progress write on its way, with the precondition that nobody wrote since. */
export interface Flight {
  readonly run: number;
  readonly attempt: number;
  readonly isFresh: boolean;
}

/** Lists are indexed by attempt - 1, and by worker. */
export interface World {
  readonly database: Database;
  readonly dispatches: readonly Dispatch[];
  readonly jobs: readonly Job[];
  readonly workers: readonly Worker[];
  readonly flights: readonly (Flight | null)[];
  /** Attempts whose output RunPod has. */
  readonly outputs: readonly boolean[];
}

/** How the actors read and write. */
export interface Surroundings {
  /** Somebody decides in a transaction; `then` says what becomes of the world after that decision. */
  ask(
    world: World,
    name: string,
    event: TransitionEvent,
    then: (world: World, decision: Decision) => World,
  ): Step<World>;
  /** Somebody writes without a transaction. */
  put(
    world: World,
    name: string,
    event: TransitionEvent,
    writes: Writes,
    then: (world: World) => World,
  ): Step<World>;
  /** Leases lapse and records become due. */
  wait(database: Database): Database;
}

interface Commit {
  readonly database: Database;
  readonly fault: string | null;
}

/** The databases are few and the worlds around them many: what `name` leads to in a database is found out once. */
function remembered<Input, Result>(find: (before: Database, input: Input) => Result) {
  const results: Map<string, Result>[] = [];
  return (before: Database, name: string, input: Input): Result => {
    results[before.id] ??= new Map();
    const known = results[before.id]!.get(name);
    if (known !== undefined) return known;
    const result = find(before, input);
    results[before.id]!.set(name, result);
    return result;
  };
}

/** What can happen next in a world. */
export type Actor = (world: World, surroundings: Surroundings) => Iterable<Step<World>>;

/** The world with `decideBy` as its transition function. */
export function createWorldModel(decideBy: typeof decide, actors: readonly Actor[]): Model<World> {
  const toDatabase = createDatabases();
  const empty = toDatabase({ document: null, record: null, tombstone: null });
  const commitAll = (before: Database, writes: Writes, event: TransitionEvent): Commit => {
    const documents = commit(before, writes);
    if (typeof documents === 'string') return { database: before, fault: documents };
    const database = toDatabase(documents);
    const fault =
      faultOfWrite(before, database, writes, event, POLICY) ??
      faultOfDocuments(database) ??
      faultOfFuture(database, decideBy, POLICY, toDatabase);
    return { database, fault };
  };
  const outcomeOf = remembered((before: Database, event: TransitionEvent) => {
    const decision = decideBy(before.seen, event, POLICY);
    const nothing: Commit = { database: before, fault: null };
    return { decision, ...(decision.kind === 'write' ? commitAll(before, decision, event) : nothing) };
  });
  const commitOf = remembered(
    (before: Database, { writes, event }: { writes: Writes; event: TransitionEvent }) =>
      commitAll(before, writes, event),
  );
  const laterOf = remembered((before: Database, _: null) => toDatabase(afterAWhile(before)));

  const surroundings: Surroundings = {
    ask(world, name, event, then) {
      const { decision, database, fault } = outcomeOf(world.database, name, event);
      if (decision.kind !== 'write')
        return { name: `${name}: ${decision.kind}`, next: then(world, decision), fault };
      const { after } = decision;
      const written = decision.document === null ? { ...world, database } : touched(world, database);
      const next =
        after?.type === 'dispatch'
          ? { ...written, dispatches: replaced(written.dispatches, after.attempt - 1, 'to-post' as const) }
          : written;
      return { name, next: then(next, decision), fault };
    },
    put(world, name, event, writes, then) {
      const { database, fault } = commitOf(world.database, name, { writes, event });
      return { name, next: then(touched(world, database)), fault };
    },
    wait: (database) => laterOf(database, '', null),
  };

  const start: World = {
    database: empty,
    dispatches: ['none', 'none'],
    jobs: ['none', 'none'],
    workers: [
      { at: 'idle', runs: 0 },
      { at: 'idle', runs: 0 },
    ],
    flights: [null, null],
    outputs: [false, false],
  };
  const guideDocument = {
    status: 'queued',
    created_at: NOW_MS,
    request_data: { prompt: 'a cat' },
    file_uid: 'f-1',
    user_id: 'ada',
  };
  const fromGuide = toDatabase({ document: guideDocument, record: null, tombstone: null });
  return {
    starts: [
      { name: 'there is nothing', next: start, fault: null },
      { name: 'RunPod is called directly', next: { ...start, jobs: ['live', 'none'] }, fault: null },
      {
        name: "the guide's function sets the document and calls RunPod",
        next: { ...start, database: fromGuide, jobs: ['live', 'none'] },
        fault: null,
      },
    ],
    steps: (world) => actors.flatMap((actor) => [...actor(world, surroundings)]),
    key: keyOf,
  };
}

/** The document was written: whoever else had seen it has not seen it any more. */
function touched(world: World, database: Database): World {
  return {
    ...world,
    database,
    workers: world.workers.map((worker) =>
      worker.at === 'painting' ? { ...worker, isFresh: false } : worker,
    ),
    flights: world.flights.map((flight) => flight && { ...flight, isFresh: false }),
  };
}

export function replaced<Item>(items: readonly Item[], index: number, item: Item): readonly Item[] {
  return items.map((old, position) => (position === index ? item : old));
}

/** A number for everything that can matter later: digits of a mixed radix, so that the search remembers it cheaply. */
function keyOf(world: World): number {
  let key = world.database.kind;
  const add = (digit: number, radix: number) => {
    key = key * radix + digit;
  };
  for (const dispatch of world.dispatches) add(DISPATCHES.indexOf(dispatch), DISPATCHES.length);
  for (const job of world.jobs) add(JOBS.indexOf(job), JOBS.length);
  for (const output of world.outputs) add(output ? 1 : 0, 2);
  for (const worker of world.workers) {
    add(['idle', 'claiming', 'painting', 'completing'].indexOf(worker.at), 4);
    add(worker.runs, 3);
    add('attempt' in worker ? worker.attempt : 'job' in worker ? worker.job : 0, 3);
    add('isFresh' in worker && worker.isFresh ? 1 : 0, 2);
  }
  for (const flight of world.flights) {
    add(flight?.run ?? 0, 3);
    add(flight?.attempt ?? 0, 3);
    add(flight?.isFresh ? 1 : 0, 2);
  }
  return key;
}
