/** An engine's process without its host, which keeps from its callers what comes after an abort: here a test sees it. */
import type { ResolvedRequest } from '@firepod/contract';
import { forkProgram } from '../src/child-program.ts';
import type { EngineSettings } from '../src/engines/engine.ts';
import type { EngineCommand, EngineEvent } from '../src/engines/messages.ts';

/** What a process did of one generation. */
export interface AbortedGeneration {
  /** Every denoising step that it reported, also after the abort. */
  steps: number[];
  /** Its last message. */
  ending: EngineEvent['type'];
}

/** Has the program generate, tells it to abort when it reports `abortedStep`, and waits for its last word. */
export async function abortAtStep(
  program: URL,
  settings: EngineSettings,
  request: ResolvedRequest,
  abortedStep: number,
): Promise<AbortedGeneration> {
  const child = forkProgram(program);
  child.stdout?.resume();
  child.stderr?.resume();
  const send = (command: EngineCommand) => child.send(command);
  const steps: number[] = [];
  try {
    const ending = await new Promise<EngineEvent['type']>((resolve, reject) => {
      child.on('message', (event: EngineEvent) => {
        if (event.type === 'loaded') {
          send({ type: 'generate', id: 1, request });
        } else if (event.type === 'progress') {
          if (event.progress.phase !== 'denoising') return;
          steps.push(event.progress.step);
          if (event.progress.step === abortedStep) send({ type: 'abort', id: 1 });
        } else {
          resolve(event.type);
        }
      });
      child.once('exit', (code, signal) => reject(new Error(`The engine ended with ${signal ?? code}.`)));
      send({ type: 'load', settings });
    });
    return { steps, ending };
  } finally {
    child.kill('SIGKILL');
  }
}
