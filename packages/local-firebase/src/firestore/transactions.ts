/** Open transactions: the locks of those that write, the snapshots of those that only read, and how long they may last. */
import { randomBytes } from 'node:crypto';
import type { CompiledQuery } from './query.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { StoredDocument } from './stored-document.ts';
import type { Clock } from './timestamp.ts';

/** How long things may take, in milliseconds. */
export type TransactionLimits = {
  /** Firestore ends a transaction after 270 s, and one that nothing was heard of for 60 s. */
  maxAgeMs: number;
  maxIdleMs: number;
  /** A write that meets the locks of others waits so long, and is then ABORTED. */
  lockWaitMs: number;
  /**
   * A transaction that reads what another one has read lets that one finish first, for so long: both would probably write
   * it, and one of them would have to run again.
   */
  turnMs: number;
  /** While something waits, transactions that have expired are looked for this often. */
  expiryCheckMs: number;
};

export const DEFAULT_TRANSACTION_LIMITS: TransactionLimits = {
  maxAgeMs: 270_000,
  maxIdleMs: 60_000,
  lockWaitMs: 20_000,
  turnMs: 1000,
  expiryCheckMs: 500,
};

/** A change that a commit is about to make. */
type PlannedChange = {
  name: string;
  before: StoredDocument | undefined;
  after: StoredDocument | undefined;
};

export type Transaction = {
  /** Lower is older. A transaction that runs again is as old as its first run. */
  readonly seniority: number;
  /** Where the transaction only reads: what it reads is as it was at that time. */
  readonly snapshot: Snapshot | undefined;
  /** Read locks: nobody else may write these documents … */
  readonly names: Set<string>;
  /** … nor any that these queries find or would find. */
  readonly queries: CompiledQuery[];
};

/** The state when a read-only transaction began: what has changed since is kept here as it was. */
type Snapshot = {
  readonly micros: number;
  readonly changed: Map<string, StoredDocument | undefined>;
};

export type Transactions = {
  /** @param retryOf The transaction that failed and now runs again. */
  begin(options: { snapshotMicros?: number | undefined; retryOf?: Buffer | undefined }): Buffer;
  /** @throws StatusError INVALID_ARGUMENT when it is not open. */
  get(id: Buffer): Transaction;
  /** Ends it, and its locks; one that is not open is no error. */
  end(id: Buffer): void;
  /** Resolves when no other transaction has read any of the documents, or it has waited long enough. */
  awaitTurn(id: Buffer, names: readonly string[]): Promise<void>;
  /** Who is about to commit: a transaction, or a plain write. Release it when the commit is over. */
  committer(id: Buffer | undefined): Committer;
  /**
   * Undefined when nobody's lock stands in the way of the changes. Otherwise resolves when one fewer does: look again.
   *
   * @throws StatusError ABORTED when the committer has waited too long, or is the one to yield among those that wait for
   * each other.
   */
  awaitLocks(committer: Committer, changes: readonly PlannedChange[]): Promise<void> | undefined;
  release(committer: Committer): void;
  /** Keeps what a commit replaces for those who still look at it. */
  recordReplaced(changes: readonly PlannedChange[]): void;
};

type Committer = {
  readonly sinceMs: number;
  /** A plain write gets one when it has to wait. */
  entry: Entry | undefined;
};

type Entry = {
  id: string;
  /** A plain write that waits: it locks nothing, but transactions that come later let it go first. */
  isWrite: boolean;
  transaction: Transaction;
  beganAtMs: number;
  usedAtMs: number;
  /** Whom its commit waits for. */
  blockers: Entry[];
  /** Called when it ends. */
  onEnd: Set<() => void>;
  /** Whom it lets go first. */
  aheadOfIt: Entry[];
  /** Makes its wait fail, or end early when it only waits for its turn. */
  interrupt: (() => void) | undefined;
};

/** How many ended transactions are remembered, so that a repeated one keeps its seniority. */
const REMEMBERED_SENIORITIES = 1000;

export function createTransactions(
  clock: Clock,
  limits: TransactionLimits = DEFAULT_TRANSACTION_LIMITS,
): Transactions {
  const open = new Map<string, Entry>();
  const seniorities = new Map<string, number>();
  let nextSeniority = 0;

  function endExpired(): void {
    for (const entry of open.values()) if (isExpired(entry)) end(entry);
  }

  function isExpired({ beganAtMs, usedAtMs }: Entry): boolean {
    return clock() - beganAtMs > limits.maxAgeMs || clock() - usedAtMs > limits.maxIdleMs;
  }

  function entryOf(id: Buffer): Entry {
    const entry = open.get(id.toString('hex'));
    if (entry === undefined || isExpired(entry)) {
      if (entry !== undefined) end(entry);
      throw invalidArgument('The referenced transaction has expired or is no longer valid.');
    }
    entry.usedAtMs = clock();
    return entry;
  }

  function add(id: string, transaction: Transaction, isWrite = false): Entry {
    const entry: Entry = {
      id,
      isWrite,
      transaction,
      beganAtMs: clock(),
      usedAtMs: clock(),
      blockers: [],
      onEnd: new Set(),
      interrupt: undefined,
      aheadOfIt: [],
    };
    open.set(id, entry);
    return entry;
  }

  function addWrite(changes: readonly PlannedChange[]): Entry {
    const names = new Set(changes.map(({ name }) => name));
    const seniority = nextSeniority++;
    return add(`write ${seniority}`, { seniority, snapshot: undefined, names, queries: [] }, true);
  }

  function end(entry: Entry): void {
    if (!open.delete(entry.id)) return;
    for (const each of [...entry.onEnd]) each();
  }

  /** Resolves when one of the entries ends, the time is over, or somebody interrupts `self`. */
  function awaitEnd(
    self: Entry,
    entries: readonly Entry[],
    timeoutMs: number,
  ): Promise<'ended' | 'timeout' | 'interrupted'> {
    return new Promise((resolve) => {
      const finish = (result: 'ended' | 'timeout' | 'interrupted') => {
        clearTimeout(timer);
        clearInterval(expiryCheck);
        for (const entry of entries) entry.onEnd.delete(onEnd);
        self.interrupt = undefined;
        resolve(result);
      };
      const onEnd = () => finish('ended');
      for (const entry of entries) entry.onEnd.add(onEnd);
      self.interrupt = () => finish('interrupted');
      const timer = setTimeout(() => finish('timeout'), timeoutMs).unref();
      const expiryCheck = setInterval(endExpired, limits.expiryCheckMs).unref();
    });
  }

  /** Those whose locks the changes would break. */
  function blockersOf(self: Entry | undefined, changes: readonly PlannedChange[]): Entry[] {
    const blockers: Entry[] = [];
    for (const entry of open.values()) {
      const { names, queries, snapshot } = entry.transaction;
      if (entry === self || entry.isWrite || snapshot !== undefined || isExpired(entry)) continue;
      const isBlocking = changes.some(
        ({ name, before, after }) =>
          names.has(name) ||
          queries.some(
            ({ matches }) =>
              (before !== undefined && matches(before)) || (after !== undefined && matches(after)),
          ),
      );
      if (isBlocking) blockers.push(entry);
    }
    return blockers;
  }

  /** The transactions of a circle in which each waits for the next, if waiting for `blockers` closes one. */
  function circleThrough(self: Entry, blockers: readonly Entry[], path: readonly Entry[] = [self]): Entry[] {
    for (const blocker of blockers) {
      if (blocker === self) return [...path];
      if (path.includes(blocker)) continue;
      const circle = circleThrough(self, blocker.blockers, [...path, blocker]);
      if (circle.length > 0) return circle;
    }
    return [];
  }

  /** Whether one waits for the other, for a lock or for its turn, be it through others. */
  function waitsFor(entry: Entry, other: Entry, seen = new Set<Entry>()): boolean {
    if (seen.has(entry)) return false;
    seen.add(entry);
    return [...entry.blockers, ...entry.aheadOfIt].some(
      (next) => next === other || waitsFor(next, other, seen),
    );
  }

  /** Ends the youngest of every circle. @throws StatusError ABORTED when that is this one. */
  function breakCircles(self: Entry, blockers: readonly Entry[]): void {
    for (;;) {
      const circle = circleThrough(
        self,
        blockers.filter(({ id }) => open.has(id)),
      );
      if (circle.length === 0) return;
      const youngest = circle.reduce((left, right) =>
        left.transaction.seniority > right.transaction.seniority ? left : right,
      );
      if (youngest === self) throw contention();
      youngest.interrupt?.();
      end(youngest);
    }
  }

  async function awaitBlockers(self: Entry, blockers: Entry[], timeoutMs: number): Promise<void> {
    breakCircles(self, blockers);
    self.blockers = blockers;
    // Those that politely wait for this one must not: it waits for them.
    for (const blocker of blockers) if (blocker.aheadOfIt.length > 0) blocker.interrupt?.();
    const isOneGone = blockers.some(({ id }) => !open.has(id));
    const result = isOneGone ? 'ended' : await awaitEnd(self, blockers, timeoutMs);
    self.blockers = [];
    // It was not idle, it was waiting.
    self.usedAtMs = clock();
    if (result !== 'ended') throw contention();
  }

  return {
    begin({ snapshotMicros, retryOf }) {
      endExpired();
      const bytes = randomBytes(12);
      const id = bytes.toString('hex');
      const seniority = seniorities.get(retryOf?.toString('hex') ?? '') ?? nextSeniority++;
      seniorities.set(id, seniority);
      for (const oldest of seniorities.keys()) {
        if (seniorities.size <= REMEMBERED_SENIORITIES) break;
        seniorities.delete(oldest);
      }
      const snapshot =
        snapshotMicros === undefined ? undefined : { micros: snapshotMicros, changed: new Map() };
      add(id, { seniority, snapshot, names: new Set(), queries: [] });
      return bytes;
    },
    get: (id) => entryOf(id).transaction,
    end(id) {
      const entry = open.get(id.toString('hex'));
      if (entry !== undefined) end(entry);
    },
    async awaitTurn(id, names) {
      const self = entryOf(id);
      if (self.transaction.snapshot !== undefined) return;
      const deadlineMs = performance.now() + limits.turnMs;
      for (;;) {
        const holders = [...open.values()].filter(
          (entry) =>
            entry !== self && !isExpired(entry) && names.some((name) => entry.transaction.names.has(name)),
        );
        const restMs = deadlineMs - performance.now();
        // Whoever waits for this one would wait in vain if this one waited for it.
        if (holders.length === 0 || restMs <= 0 || holders.some((holder) => waitsFor(holder, self))) break;
        self.aheadOfIt = holders;
        const result = await awaitEnd(self, holders, restMs);
        self.aheadOfIt = [];
        self.usedAtMs = clock();
        if (result !== 'ended') break;
      }
      if (!open.has(self.id)) throw contention();
      for (const name of names) self.transaction.names.add(name);
    },
    committer: (id) => ({ sinceMs: performance.now(), entry: id === undefined ? undefined : entryOf(id) }),
    awaitLocks(committer, changes) {
      if (open.size === 0) return undefined;
      const { entry, sinceMs } = committer;
      // It may have been rolled back while it waited.
      if (entry !== undefined && !entry.isWrite) entryOf(Buffer.from(entry.id, 'hex'));
      const blockers = blockersOf(entry, changes);
      if (blockers.length === 0) return undefined;
      committer.entry ??= addWrite(changes);
      return awaitBlockers(committer.entry, blockers, limits.lockWaitMs - (performance.now() - sinceMs));
    },
    release({ entry }) {
      if (entry !== undefined) end(entry);
    },
    recordReplaced(changes) {
      for (const { transaction } of open.values()) {
        if (transaction.snapshot === undefined) continue;
        for (const { name, before } of changes) {
          if (!transaction.snapshot.changed.has(name)) transaction.snapshot.changed.set(name, before);
        }
      }
    },
  };
}

/** The refusal that makes SDKs run the transaction again. */
function contention(): StatusError {
  return new StatusError('ABORTED', 'Too much contention on these documents. Please try again.');
}
