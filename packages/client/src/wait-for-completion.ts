/** A generation as a promise of its results. */
import type { GenerationReference } from '@firepod/contract';
import type { Firestore } from 'firebase/firestore';
import { FirepodError } from './errors.ts';
import type { CompletedFirepodGeneration, FirepodGeneration } from './generation.ts';
import { watchGeneration } from './watch-generation.ts';

/** How to wait. */
export interface WaitOptions {
  /** Stops the waiting; the generation itself goes on (see `cancel`). */
  readonly signal?: AbortSignal | undefined;
  /** Called with the generation now and after each change, the last one too: status, progress, preview. */
  readonly onChange?: ((generation: FirepodGeneration) => void) | undefined;
}

/**
 * Resolves when the generation has completed.
 *
 * @throws {FirepodError} with the generation's `error_code` and `error` when it fails; `not_found` when it is deleted;
 * `aborted` by the signal; or what the listener failed of
 */
export function waitForCompletion(
  firestore: Firestore,
  reference: GenerationReference,
  { signal, onChange }: WaitOptions = {},
): Promise<CompletedFirepodGeneration> {
  const { promise, resolve, reject } = deferred<CompletedFirepodGeneration>();
  const abort = () => reject(new FirepodError('aborted', '', { cause: signal?.reason }));
  if (signal?.aborted) {
    abort();
    return promise;
  }
  signal?.addEventListener('abort', abort, { once: true });
  const stopWatching = watchGeneration(
    firestore,
    reference,
    (generation) => {
      if (generation === null) {
        reject(new FirepodError('not_found', 'The generation was deleted.'));
        return;
      }
      onChange?.(generation);
      if (generation.status === 'completed') resolve(generation);
      if (generation.status === 'failed') reject(new FirepodError(generation.error_code, generation.error));
    },
    reject,
  );
  return promise.finally(() => {
    signal?.removeEventListener('abort', abort);
    stopWatching();
  });
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function deferred<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (error: FirepodError) => void;
  const promise = new Promise<Value>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
