/** An engine in a child process that is started again whenever it dies: one generation at a time, in order. */
import type { Logger } from '@firepod/runpod/worker';
import { abortable } from '../abortable.ts';
import { describeThrown, WorkerError } from '../errors.ts';
import { type EngineProcess, type EngineProcessOptions, startEngineProcess } from './child-process.ts';
import { describeDeath, diedOfMemory } from './death.ts';
import type { Engine } from './engine.ts';

/** A process that dies before its model is loaded is started again after this, doubled each time. */
const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 30_000;

/** How long the worker lets an aborted generation go on before its process is killed. */
export const ENGINE_ABORT_GRACE_MS = 5000;

/** How long a process that was asked to leave may take. */
const RELEASE_GRACE_MS = 5000;

/** What the host needs to know. */
export interface EngineHostOptions extends EngineProcessOptions {
  logger: Logger;
}

/** An engine behind a process boundary. */
export interface EngineHost extends Engine {
  /** The process that holds the engine now; undefined while none runs. */
  readonly pid: number | undefined;
}

/** Starts the engine's process at once, so that the model is loaded when the first job comes. */
export function startEngineHost({ logger, ...options }: EngineHostOptions): EngineHost {
  const closing = new AbortController();
  let failedStarts = 0;
  let running: EngineProcess | undefined;
  let current = Promise.resolve(start());
  let lastGeneration: Promise<unknown> = Promise.resolve();

  function start(): EngineProcess {
    const engine = startEngineProcess({
      onNote: (sentence, fields) => logger.info(fields, sentence),
      ...options,
    });
    running = engine;
    let isLoaded = false;
    engine.loaded.then(
      ({ card }) => {
        isLoaded = true;
        failedStarts = 0;
        logger.info({ enginePid: engine.pid, model: card.id }, 'The engine has loaded its model.');
      },
      (error: unknown) => {
        logger.error(
          { enginePid: engine.pid },
          `The engine could not load its model: ${describeThrown(error)}`,
        );
        engine.kill();
      },
    );
    void engine.died.then((death) => {
      running = undefined;
      if (closing.signal.aborted) return;
      logger.warn(
        { enginePid: engine.pid, outOfMemory: diedOfMemory(death), lastWords: death.lastWords.slice(-1000) },
        `The engine's process ended (${describeDeath(death)}); starting it again.`,
      );
      current = isLoaded ? Promise.resolve(start()) : startLater();
    });
    return engine;
  }

  async function startLater(): Promise<EngineProcess> {
    const delayMs = Math.min(RESTART_MIN_MS * 2 ** failedStarts, RESTART_MAX_MS);
    failedStarts += 1;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      closing.signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
    });
    return closing.signal.aborted ? Promise.reject(closedError()) : start();
  }

  async function generateNow(...[request, generateOptions]: Parameters<Engine['generate']>) {
    const { signal } = generateOptions;
    const engine = await abortable(current, signal);
    await abortable(engine.loaded, signal);
    return engine.generate(request, generateOptions);
  }

  return {
    get pid() {
      return running?.pid;
    },
    describe: async () => (await current).loaded,
    generate(request, generateOptions) {
      const result = lastGeneration.then(() => generateNow(request, generateOptions));
      lastGeneration = result.catch(() => {});
      return result;
    },
    async close() {
      closing.abort();
      current.catch(() => {});
      const engine = running;
      if (!engine) return;
      engine.release();
      const timer = setTimeout(() => engine.kill(), RELEASE_GRACE_MS);
      await engine.died;
      clearTimeout(timer);
    },
  };
}

function closedError(): WorkerError {
  return new WorkerError('internal', 'The engine was closed.');
}
