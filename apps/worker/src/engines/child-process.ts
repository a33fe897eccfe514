/** One child process with an engine in it: from its start to its death, which is told apart by cause. */
import type { ResolvedRequest } from '@firepod/contract';
import { forkProgram } from '../child-program.ts';
import { EngineCrashedError, WorkerError } from '../errors.ts';
import { countMemoryKills, describeDeath, diedOfMemory, type ProcessDeath } from './death.ts';
import type { EngineDescription, EngineSettings, GeneratedFrames, GenerateOptions } from './engine.ts';
import type { EngineCommand, EngineEvent, EngineFailure, NoteListener } from './messages.ts';

/** Enough of stderr to hold the fatal message of V8 or of the C++ runtime. */
const LAST_WORDS_CHARACTERS = 8192;

/** How to start an engine's process. */
export interface EngineProcessOptions {
  /** The program to run: one that calls `serveEngine`. */
  program: URL;
  settings: EngineSettings;
  /** How long an aborted generation may go on before the process is killed. */
  abortGraceMs: number;
  /** Takes what the engine has to say for the log. */
  onNote?: NoteListener;
}

/** A running engine process. */
export interface EngineProcess {
  readonly pid: number | undefined;
  /** Resolves when the model is loaded; rejects when it cannot be, or when the process dies before. */
  readonly loaded: Promise<EngineDescription>;
  /** Resolves when the process is gone, whoever ended it. */
  readonly died: Promise<ProcessDeath>;
  /** As `Engine.generate`, and rejects with EngineCrashedError, or `out_of_memory`, when the process dies in the middle. */
  generate(request: ResolvedRequest, options: GenerateOptions): Promise<GeneratedFrames>;
  /** Lets the process leave by itself between two steps. */
  release(): void;
  /** Ends the process at once. */
  kill(): void;
}

/** Starts the process and has it load its model. */
export function startEngineProcess({
  program,
  settings,
  abortGraceMs,
  onNote,
}: EngineProcessOptions): EngineProcess {
  const memoryKillsBefore = countMemoryKills();
  const child = forkProgram(program);
  let lastWords = '';
  let lastId = 0;
  child.stdout?.resume();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS_CHARACTERS);
  });

  const died = new Promise<ProcessDeath>((resolve) => {
    const bury = (exitCode: number | null, signal: NodeJS.Signals | null) =>
      resolve({ exitCode, signal, lastWords, memoryKills: countMemoryKills() - memoryKillsBefore });
    // 'close' and not 'exit': the last words are complete only when stderr has closed.
    child.once('close', bury);
    child.once('error', (error) => {
      lastWords += error.message;
      if (child.pid === undefined) bury(null, null); // never started, so it will never close
    });
  });

  const loaded = new Promise<EngineDescription>((resolve, reject) => {
    child.on('message', (event: EngineEvent) => {
      if (event.type === 'loaded') resolve(event.description);
      if (event.type === 'load-failed') reject(errorOf(event.failure));
      if (event.type === 'note') onNote?.(event.sentence, event.fields);
    });
    void died.then((death) => reject(deathError(death)));
  });
  loaded.catch(() => {}); // whoever needs the model awaits it; nobody has to
  send({ type: 'load', settings });

  function send(command: EngineCommand): void {
    // A message to a process that is gone is no error of its own: its death is reported by `died`.
    if (child.connected) child.send(command, () => {});
  }

  function generate(
    request: ResolvedRequest,
    { signal, onProgress, sources }: GenerateOptions,
  ): Promise<GeneratedFrames> {
    lastId += 1;
    const id = lastId;
    return new Promise<GeneratedFrames>((resolve, reject) => {
      let killTimer: NodeJS.Timeout | undefined;
      const stop = () => {
        send({ type: 'abort', id });
        killTimer = setTimeout(() => child.kill('SIGKILL'), abortGraceMs);
      };
      const receive = (event: EngineEvent) => {
        if (!('id' in event) || event.id !== id) return;
        if (event.type === 'progress') return signal.aborted ? undefined : onProgress(event.progress);
        end();
        if (signal.aborted) reject(signal.reason);
        else if (event.type === 'generated') resolve(event.result);
        else if (event.type === 'failed') reject(errorOf(event.failure));
        else reject(new WorkerError('internal', 'The engine stopped a generation that nobody aborted.'));
      };
      const end = () => {
        clearTimeout(killTimer);
        signal.removeEventListener('abort', stop);
        child.off('message', receive);
      };
      child.on('message', receive);
      void died.then((death) => {
        end();
        reject(signal.aborted ? signal.reason : deathError(death));
      });
      send({ type: 'generate', id, request, sources });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }

  return {
    pid: child.pid,
    loaded,
    died,
    generate,
    // Not `disconnect()`: Node then never emits 'close', by which a death is known.
    release: () => send({ type: 'leave' }),
    kill: () => void child.kill('SIGKILL'),
  };
}

function errorOf({ code, message, detail }: EngineFailure): WorkerError {
  return new WorkerError(code, message, { cause: new Error(detail) });
}

function deathError(death: ProcessDeath): WorkerError {
  if (diedOfMemory(death)) {
    return new WorkerError(
      'out_of_memory',
      'The worker ran out of memory while generating. Try a smaller size, fewer images or fewer frames.',
    );
  }
  return new EngineCrashedError(describeDeath(death), death);
}
