/** Ctrl-C and its kin: the first asks this process to end, a later one insists. */

/** One key press may arrive twice: from the terminal, and again from npm, which passes on what it gets. */
const samePressMs = 300;

/**
 * Aborts the returned signal at the first SIGINT, SIGTERM or SIGHUP. A second Ctrl-C ends the process at once; service
 * processes end by themselves when it is gone.
 */
export function listenForStop(): AbortSignal {
  const stopping = new AbortController();
  let firstAt = 0;
  const stop = (signal: NodeJS.Signals) => {
    if (!stopping.signal.aborted) {
      firstAt = performance.now();
      stopping.abort(new Error('It was told to end.'));
    } else if (signal === 'SIGINT' && performance.now() - firstAt > samePressMs) {
      process.exit(130);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return stopping.signal;
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
