/** The child's side of the engine protocol: answers the worker's commands with an engine, and ends with the worker. */
import { ERROR_CODES } from '@firepod/contract';
import { describeThrown, WorkerError } from '../errors.ts';
import type { Engine, EngineSettings } from './engine.ts';
import type { EngineCommand, EngineEvent, EngineFailure, NoteListener } from './messages.ts';

/**
 * Serves the engine that `createEngine` makes over this process's IPC channel until the channel closes: it closes
 * when the worker dies in whatever way, and then nobody wants the pixels.
 */
export function serveEngine(
  createEngine: (settings: EngineSettings, onNote: NoteListener) => Promise<Engine>,
): void {
  let engine: Promise<Engine> | undefined;
  let running: { id: number; controller: AbortController } | undefined;

  process.on('message', (command: EngineCommand) => {
    if (command.type === 'load') {
      engine ??= createEngine(command.settings, (sentence, fields) =>
        send({ type: 'note', sentence, fields }),
      );
      void load(engine);
    } else if (command.type === 'abort') {
      if (running?.id === command.id) running.controller.abort();
    } else if (command.type === 'generate') {
      void generate(command);
    } else {
      process.exit(0);
    }
  });
  // A step blocks this thread, so the channel's end is seen, and the process left, between two steps.
  process.on('disconnect', () => process.exit(0));

  async function load(loading: Promise<Engine>): Promise<void> {
    try {
      send({ type: 'loaded', description: await (await loading).describe() });
    } catch (error) {
      send({ type: 'load-failed', failure: failureOf(error) });
    }
  }

  async function generate({ id, request, sources }: EngineCommand & { type: 'generate' }): Promise<void> {
    const controller = new AbortController();
    running = { id, controller };
    try {
      if (!engine)
        throw new WorkerError('internal', 'The engine was asked to generate before it was loaded.');
      const result = await (await engine).generate(request, {
        signal: controller.signal,
        sources,
        onProgress: (progress) => send({ type: 'progress', id, progress }),
      });
      send({ type: 'generated', id, result });
    } catch (error) {
      send(
        controller.signal.aborted
          ? { type: 'stopped', id }
          : { type: 'failed', id, failure: failureOf(error) },
      );
    } finally {
      running = undefined;
    }
  }
}

function send(event: EngineEvent): void {
  if (process.connected) process.send?.(event);
}

function failureOf(thrown: unknown): EngineFailure {
  const detail = describeThrown(thrown);
  if (thrown instanceof WorkerError) return { code: thrown.code, message: thrown.message, detail };
  return { code: 'internal', message: ERROR_CODES.internal.sentence, detail };
}
