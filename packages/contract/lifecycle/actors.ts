/** What each of those who write a generation can do next, and how it can go wrong. */
import type { TransitionEvent } from '../src/transition.ts';
import { progressing } from '../src/transition-writes.ts';
import { GENERATION } from './database.ts';
import type { Step } from './search.ts';
import {
  type Actor,
  type Dispatch,
  type Flight,
  replaced,
  type Surroundings,
  type Worker,
  type World,
} from './world.ts';

type Steps = Generator<Step<World>>;

const WORKER_NAMES = ['A', 'B'];
/** How often each worker may take a job: A comes back once, as a third claimant after both attempts. */
const RUNS_MAX = [2, 1];
const PROGRESS = { phase: 'starting', step: 0, steps: 25, percent: 0, eta_seconds: null } as const;
const RESULT = { image_urls: ['https://example.com/f-1.png'] };

/** All of them. */
export const ACTORS: readonly Actor[] = [
  functionSteps,
  (world, surroundings) => workerSteps(world, 0, surroundings),
  (world, surroundings) => workerSteps(world, 1, surroundings),
  otherSteps,
];

/** Submits, posts to RunPod and notes its answer; sweep and webhook dispatch again by the same steps. */
function* functionSteps(world: World, { ask }: Surroundings): Steps {
  const isUntouched = world.database.id === 0 && world.jobs[0] === 'none' && world.dispatches[0] === 'none';
  if (isUntouched) {
    yield ask(world, 'the function submits', { type: 'submit', generation: GENERATION }, (next) => ({
      ...next,
      dispatches: replaced(next.dispatches, 0, 'to-post'),
    }));
  }
  if (world.dispatches[0] !== 'none') {
    const again = { type: 'submit', generation: GENERATION } as const;
    yield ask(world, 'the function submits the same again', again, (next) => next);
  }
  for (const [index, dispatch] of world.dispatches.entries()) {
    const attempt = index + 1;
    const turn = (next: World, to: Dispatch): World => ({
      ...next,
      dispatches: replaced(next.dispatches, index, to),
    });
    if (dispatch === 'to-post') {
      const posted = { ...world, jobs: replaced(world.jobs, index, 'live' as const) };
      yield step(`the function dies before it posts job ${attempt}`, turn(world, 'over'));
      yield step(`RunPod takes job ${attempt}`, turn(posted, 'posted'));
      yield step(`RunPod takes job ${attempt} and the function dies`, turn(posted, 'over'));
      yield step(`RunPod takes job ${attempt} but its answer is lost`, turn(posted, 'refused'));
      yield step(`RunPod refuses job ${attempt}`, turn(world, 'refused'));
    }
    if (dispatch === 'posted') {
      const event = { type: 'dispatched', attempt, runpodId: jobId(attempt), queueMs: 3_600_000 } as const;
      yield ask(world, `the function notes job ${attempt}`, event, (next) => turn(next, 'over'));
    }
    if (dispatch === 'refused') {
      const event = { type: 'dispatch-refused', attempt, error: 'RunPod refused.' } as const;
      yield ask(world, `the function notes the refusal of job ${attempt}`, event, (next) =>
        turn(next, 'over'),
      );
    }
  }
}

/** Claims, paints and ends; every write can be late, and every answer be lost. */
function* workerSteps(world: World, index: number, surroundings: Surroundings): Steps {
  const worker = world.workers[index]!;
  if (worker.at === 'idle' && worker.runs < RUNS_MAX[index]!) {
    for (const [job, state] of world.jobs.entries()) {
      if (state === 'live')
        yield* claimSteps(world, index, { runs: worker.runs + 1, job: job + 1 }, surroundings);
    }
  }
  if (worker.at === 'claiming') yield* claimSteps(world, index, worker, surroundings);
  if (worker.at === 'painting') yield* paintingSteps(world, index, worker, surroundings);
  if (worker.at === 'painting' || worker.at === 'completing')
    yield* endingSteps(world, index, worker, surroundings);
  if (worker.at !== 'idle') {
    yield step(`worker ${WORKER_NAMES[index]} dies`, become(world, index, { at: 'idle', runs: worker.runs }));
  }
  const flight = world.flights[index] ?? null;
  if (flight !== null) yield* flightSteps(world, index, flight, surroundings);
}

function* claimSteps(
  world: World,
  index: number,
  run: { runs: number; job: number },
  { ask }: Surroundings,
): Steps {
  const { runs, job } = run;
  const event: TransitionEvent = {
    type: 'claim',
    workerId: runId(index, runs),
    runpodId: jobId(job),
    generation: GENERATION,
    progress: PROGRESS,
  };
  const name = `worker ${runId(index, runs)} claims with job ${job}`;
  yield ask(world, name, event, (next, decision) => {
    if (decision.kind === 'wait') return next;
    const isGranted = decision.kind === 'write' && next.database.seen.record?.workerId === event.workerId;
    const attempt = isGranted ? decision.attempt! : 0;
    return become(
      next,
      index,
      isGranted ? { at: 'painting', runs, attempt, isFresh: true } : { at: 'idle', runs },
    );
  });
  yield ask(world, `${name} and the answer is lost`, event, (next) =>
    become(next, index, { at: 'claiming', runs, job }),
  );
}

function* paintingSteps(
  world: World,
  index: number,
  worker: Extract<Worker, { at: 'painting' }>,
  { ask }: Surroundings,
): Steps {
  const { runs, attempt, isFresh } = worker;
  const holder = { attempt, workerId: runId(index, runs) };
  const name = `worker ${holder.workerId}`;
  const stop = (next: World) => become(next, index, { at: 'idle', runs });
  const fail = { type: 'fail', errorCode: 'out_of_memory', error: 'Out of memory.', ...holder } as const;
  yield ask(world, `${name} fails attempt ${attempt}`, fail, stop);
  yield ask(world, `${name} gives attempt ${attempt} back`, { type: 'release', ...holder }, stop);
  if (world.flights[index] === null) {
    const flights = replaced(world.flights, index, { run: runs, attempt, isFresh });
    yield step(`${name} sends progress`, { ...world, flights });
  }
}

function* endingSteps(
  world: World,
  index: number,
  worker: Extract<Worker, { at: 'painting' | 'completing' }>,
  { ask }: Surroundings,
): Steps {
  const { runs, attempt } = worker;
  const name = `worker ${runId(index, runs)}`;
  const idle: Worker = { at: 'idle', runs };
  const withOutput = (next: World): World => ({
    ...next,
    outputs: replaced(next.outputs, attempt - 1, true),
  });
  const event = { type: 'complete', generationData: RESULT, attempt, workerId: runId(index, runs) } as const;
  const completes = `${name} completes attempt ${attempt}`;
  yield ask(world, completes, event, (next, decision) =>
    become(decision.kind === 'stop' ? next : withOutput(next), index, idle),
  );
  yield ask(world, `${completes} and the answer is lost`, event, (next) =>
    become(next, index, { at: 'completing', runs, attempt }),
  );
  yield step(
    `${name} cannot reach Firestore and posts the output of attempt ${attempt}`,
    become(withOutput(world), index, idle),
  );
}

/** A progress write arrives, however late: only its precondition guards the document. */
function* flightSteps(world: World, index: number, flight: Flight, { ask, put }: Surroundings): Steps {
  const worker = world.workers[index]!;
  const workerId = runId(index, flight.run);
  const landed: World = { ...world, flights: replaced(world.flights, index, null) };
  const isWaitedFor = worker.at === 'painting' && worker.runs === flight.run;
  const refresh = (next: World, isFresh: boolean): World =>
    isWaitedFor ? become(next, index, { ...worker, isFresh }) : next;
  const event: TransitionEvent = {
    type: 'progress',
    attempt: flight.attempt,
    workerId,
    progress: PROGRESS,
    preview: null,
  };
  if (flight.isFresh) {
    const writes = progressing(event);
    yield put(landed, `the progress of worker ${workerId} arrives`, event, writes, (next) =>
      refresh(next, true),
    );
    yield put(
      landed,
      `the progress of worker ${workerId} arrives and the answer is lost`,
      event,
      writes,
      (next) => refresh(next, false),
    );
  } else if (isWaitedFor) {
    const name = `the progress of attempt ${flight.attempt} is refused, worker ${workerId} reads again`;
    yield ask(landed, name, event, (next, decision) =>
      decision.kind === 'write'
        ? refresh(next, true)
        : become(next, index, { at: 'idle', runs: worker.runs }),
    );
  } else {
    yield step(`the late progress of worker ${workerId} is refused`, landed);
  }
}

/** RunPod, the webhook, the sweep, the user and time. */
function* otherSteps(world: World, { ask, wait }: Surroundings): Steps {
  const unchanged = (next: World) => next;
  yield step('time passes', { ...world, database: wait(world.database) });
  for (const [index, job] of world.jobs.entries()) {
    const attempt = index + 1;
    if (job === 'live') {
      yield step(`RunPod gives job ${attempt} up`, { ...world, jobs: replaced(world.jobs, index, 'ended') });
    }
    if (job === 'live') {
      const event = {
        type: 'refuse',
        errorCode: 'invalid_argument',
        error: 'width: 1 is not allowed.',
      } as const;
      yield ask(world, `an older worker refuses job ${attempt}`, event, unchanged);
    }
    if (job !== 'ended') continue;
    for (const outcome of ['FAILED', 'TIMED_OUT', 'CANCELLED'] as const) {
      const event = { type: 'job-failed', runpodId: jobId(attempt), attempt, outcome } as const;
      yield ask(world, `the webhook hears that job ${attempt} is ${outcome}`, event, unchanged);
    }
  }
  for (const [index, isThere] of world.outputs.entries()) {
    const event = { type: 'job-completed', attempt: index + 1, generationData: RESULT } as const;
    if (isThere) yield ask(world, `the webhook brings the output of attempt ${index + 1}`, event, unchanged);
  }
  yield ask(world, 'the sweep looks', { type: 'sweep' }, unchanged);
  yield ask(world, 'the user cancels', { type: 'cancel' }, unchanged);
  yield ask(world, 'the user deletes', { type: 'remove' }, unchanged);
}

function step(name: string, next: World): Step<World> {
  return { name, next, fault: null };
}

function become(world: World, index: number, worker: Worker): World {
  return { ...world, workers: replaced(world.workers, index, worker) };
}

function jobId(attempt: number): string {
  return `job-${attempt}`;
}

/** Each run of a worker is another holder. */
function runId(index: number, run: number): string {
  return `${WORKER_NAMES[index]}${run}`;
}
