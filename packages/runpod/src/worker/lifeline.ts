/** Ends this process when the local RunPod that started it is gone: its end of our standard input closes with it. */
import type { Logger } from '../logger.ts';

/** After the handlers' grace, time to close what is open before the process is killed. */
const EXIT_MARGIN_MS = 1_000;

/**
 * Watches standard input when `lifeline` is `stdin`. Nobody is left then to take a result, so that the worker aborts
 * its jobs, and the process ends by SIGKILL after the grace when something (a handler that ignores its signal) keeps it.
 *
 * @returns lets go of standard input, so that it does not keep the process alive
 */
export function holdLifeline(
  lifeline: 'stdin' | undefined,
  logger: Logger,
  worker: { shutdown: (options: { deadlineMs: number }) => Promise<void>; graceMs: number },
): () => void {
  if (lifeline === undefined) return () => {};
  const { stdin } = process;
  function end(): void {
    release();
    logger.warn({}, 'The local RunPod that started this worker is gone; ending.');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), worker.graceMs + EXIT_MARGIN_MS).unref();
    void worker.shutdown({ deadlineMs: 0 });
  }
  function release(): void {
    stdin.off('end', end).off('close', end).off('error', end);
    stdin.pause();
    stdin.unref?.();
  }
  stdin.once('end', end).once('close', end).once('error', end).resume();
  return release;
}
