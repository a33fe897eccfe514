/** Lets transactions that read the same document take turns, so that they need not fail and run again. */

/**
 * Nobody waits longer: a transaction whose client died, or two that wait for each other, hold up others only so long.
 * Going on early is safe: the commit finds out what has changed.
 */
const MAX_WAIT_MS = 1000;

export type TransactionTurns = {
  /** Resolves when no other open transaction has read any of the documents, or the wait is over; then it is this one's turn. */
  take(transactionId: string, documentNames: readonly string[]): Promise<void>;
  /** Ends all turns of a transaction. */
  release(transactionId: string): void;
};

export function createTransactionTurns(maxWaitMs = MAX_WAIT_MS): TransactionTurns {
  const holders = new Map<string, string>();
  const releases = new Map<string, { promise: Promise<void>; resolve: () => void; names: Set<string> }>();

  function holdAll(transactionId: string, documentNames: readonly string[]): void {
    let release = releases.get(transactionId);
    if (release === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      release = { promise, resolve, names: new Set() };
      releases.set(transactionId, release);
    }
    for (const name of documentNames) {
      holders.set(name, transactionId);
      release.names.add(name);
    }
  }

  return {
    async take(transactionId, documentNames) {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<'over'>((resolve) => {
        timer = setTimeout(() => resolve('over'), maxWaitMs).unref();
      });
      for (;;) {
        const other = documentNames
          .map((name) => holders.get(name))
          .find((holder) => holder !== undefined && holder !== transactionId);
        const release = other === undefined ? undefined : releases.get(other);
        // Those who wait for one release wake in the order in which they came: the first takes the turn, the rest wait on.
        if (release === undefined || (await Promise.race([release.promise, timeout])) === 'over') break;
      }
      clearTimeout(timer);
      holdAll(transactionId, documentNames);
    },
    release(transactionId) {
      const release = releases.get(transactionId);
      if (release === undefined) return;
      releases.delete(transactionId);
      for (const name of release.names) if (holders.get(name) === transactionId) holders.delete(name);
      release.resolve();
    },
  };
}
