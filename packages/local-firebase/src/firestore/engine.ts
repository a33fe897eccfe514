/** Reads, commits and transactions over the store, and the feed of commits that listeners follow. */
import { checkCommitSize } from './commit-limits.ts';
import type { CommitCheck, WriteStep } from './guard.ts';
import { createIndexEntryLimit } from './indexes/entry-limit.ts';
import type { IndexesFile } from './indexes/indexes-file.ts';
import { createIndexDemand } from './indexes/requirements.ts';
import type { CommitResponse, StructuredQuery, TransactionOptions, Write, WriteResult } from './messages.ts';
import { type CompiledQuery, compileQuery } from './query.ts';
import { countResults, runQuery } from './run-query.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { Store } from './store.ts';
import type { StoredDocument } from './stored-document.ts';
import { type Clock, createCommitClock, timestampFromMicros } from './timestamp.ts';
import { createTransactions, type Transaction, type TransactionLimits } from './transactions.ts';
import type { Triggers } from './triggers.ts';
import { applyWrite, documentOf, failedPrecondition } from './write.ts';

/** One document's change in a commit. */
export type Change = {
  name: string;
  before: StoredDocument | undefined;
  after: StoredDocument | undefined;
};

type CommitListener = (changes: readonly Change[]) => void;

export type EngineOptions = {
  /** The contents of firestore.indexes.json; without it every query is served. */
  indexes?: IndexesFile | undefined;
  transactions?: TransactionLimits | undefined;
  /** The events that commits cause, stored with them. */
  triggers?: Pick<Triggers, 'eventsOf' | 'wake'> | undefined;
};

export type Engine = {
  readonly store: Store;
  /** The time that a read made now may claim: later than every commit it shows, or the snapshot's in a read-only transaction. */
  readMicros(transactionId?: Buffer): number;
  begin(options: TransactionOptions | undefined): Buffer;
  rollback(transactionId: Buffer): void;
  /** Resolves when a transaction may read the documents without getting into the way of another; at once without one. */
  takeTurn(transactionId: Buffer | undefined, documentNames: readonly string[]): Promise<void>;
  /** A document; a transaction that may write locks it. */
  read(name: string, transactionId?: Buffer): StoredDocument | undefined;
  /**
   * A query of one request, checked.
   *
   * @throws StatusError INVALID_ARGUMENT or UNIMPLEMENTED
   */
  compile(parent: string, query: StructuredQuery | undefined): CompiledQuery;
  /** Comes after the question whether the caller may. @throws StatusError FAILED_PRECONDITION for want of an index. */
  checkIndexes(query: CompiledQuery): void;
  /** A query's results, not projected; a transaction that may write locks them and what else would be found. */
  query(query: CompiledQuery, transactionId?: Buffer): StoredDocument[];
  /** How many results a query has; locks like `query`. */
  count(query: CompiledQuery, transactionId?: Buffer): number;
  /**
   * Applies all writes or none, once no transaction has a lock on what they change. They are on disk, and listeners have
   * been told, when it resolves; where nothing is locked all of that happens before it returns.
   *
   * @param check Asked once it is known what the writes would do, and before any precondition: a caller that may not
   * write learns nothing about what is stored.
   * @throws StatusError ABORTED when others' locks stand in the way for too long.
   */
  commit(writes: readonly Write[], transactionId?: Buffer, check?: CommitCheck): Promise<CommitResponse>;
  /** Calls the listener after each commit that changed something. Returns the way to stop. */
  subscribe(listener: CommitListener): () => void;
};

type Staged = { changes: Change[]; writeResults: WriteResult[]; micros: number; version: number };

export function createEngine(store: Store, clock: Clock, options: EngineOptions = {}): Engine {
  const commitClock = createCommitClock(clock, store.commitMicros());
  const transactions = createTransactions(clock, options.transactions);
  const checkIndexes = createIndexDemand(options.indexes);
  const checkIndexEntries = createIndexEntryLimit(options.indexes);
  const listeners = new Set<CommitListener>();

  function transactionOf(id: Buffer | undefined): Transaction | undefined {
    return isGiven(id) ? transactions.get(id) : undefined;
  }

  /** What the writes would do now. */
  function stage(writes: readonly Write[], check: CommitCheck | undefined): Staged {
    const stamp = { micros: commitClock.next(), version: store.version() + 1 };
    const staged = new Map<string, Change>();
    const steps: WriteStep[] = [];
    let refusal: StatusError | undefined;
    const writeResults = writes.map((write) => {
      const name = documentOf(write);
      const earlier = staged.get(name);
      const before = earlier === undefined ? store.read(name) : earlier.after;
      refusal ??= failedPrecondition(write, name, before, earlier !== undefined);
      const { after, result } = applyWrite(write, name, before, stamp);
      steps.push({ operation: operationOf(write), name, before, after });
      staged.set(name, { name, before: earlier === undefined ? before : earlier.before, after });
      return result;
    });
    check?.(steps, stamp.micros);
    if (refusal !== undefined) throw refusal;
    const changes = [...staged.values()].filter(({ before, after }) => before !== after);
    for (const { after } of changes) if (after !== undefined) checkIndexEntries(after);
    return { changes, writeResults, ...stamp };
  }

  function apply({ changes, micros, version }: Staged): void {
    if (changes.length === 0) return;
    const events = options.triggers?.eventsOf(changes, micros) ?? [];
    store.commit(new Map(changes.map(({ name, after }) => [name, after])), version, micros, events);
    transactions.recordReplaced(changes);
    for (const listener of listeners) listener(changes);
    if (events.length > 0) options.triggers?.wake();
  }

  function lockQuery(query: CompiledQuery, transaction: Transaction | undefined): void {
    if (transaction !== undefined && transaction.snapshot === undefined) transaction.queries.push(query);
  }

  /** The documents that a query looks through as they were when the transaction began, if some have changed since. */
  function snapshotOf(query: CompiledQuery, transaction: Transaction | undefined) {
    const changed = transaction?.snapshot?.changed;
    if (changed === undefined || changed.size === 0) return undefined;
    const documents = new Map<string, StoredDocument>();
    for (const document of store.scan(query.scope)) documents.set(document.name, document);
    for (const [name, document] of changed) {
      if (document === undefined) documents.delete(name);
      else documents.set(name, document);
    }
    return query.run(documents.values());
  }

  return {
    store,
    readMicros: (transactionId) => transactionOf(transactionId)?.snapshot?.micros ?? commitClock.current(),
    begin({ readOnly, readWrite } = {}) {
      if (readOnly?.readTime !== undefined) throw pastReadsUnsupported();
      return transactions.begin({
        snapshotMicros: readOnly === undefined ? undefined : commitClock.current(),
        retryOf: readWrite?.retryTransaction,
      });
    },
    rollback: transactions.end,
    async takeTurn(transactionId, documentNames) {
      if (isGiven(transactionId)) await transactions.awaitTurn(transactionId, documentNames);
    },
    read(name, transactionId) {
      const transaction = transactionOf(transactionId);
      const changed = transaction?.snapshot?.changed;
      if (changed?.has(name)) return changed.get(name);
      if (transaction !== undefined && changed === undefined) transaction.names.add(name);
      return store.read(name);
    },
    compile(parent, query) {
      if (query === undefined) {
        throw new StatusError('UNIMPLEMENTED', 'Only structured queries are supported by this server.');
      }
      return compileQuery(parent, query);
    },
    checkIndexes,
    query(query, transactionId) {
      checkIndexes(query);
      const transaction = transactionOf(transactionId);
      lockQuery(query, transaction);
      return snapshotOf(query, transaction) ?? runQuery(store, query);
    },
    count(query, transactionId) {
      checkIndexes(query);
      const transaction = transactionOf(transactionId);
      lockQuery(query, transaction);
      return snapshotOf(query, transaction)?.length ?? countResults(store, query);
    },
    async commit(writes, transactionId, check) {
      const committer = transactions.committer(isGiven(transactionId) ? transactionId : undefined);
      try {
        if (committer.entry?.transaction.snapshot !== undefined && writes.length > 0) {
          throw invalidArgument('Cannot modify entities in a read-only transaction.');
        }
        checkCommitSize(writes);
        for (;;) {
          const staged = stage(writes, check);
          const locks = transactions.awaitLocks(committer, staged.changes);
          if (locks === undefined) {
            apply(staged);
            return { writeResults: staged.writeResults, commitTime: timestampFromMicros(staged.micros) };
          }
          await locks;
        }
      } finally {
        transactions.release(committer);
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** An empty id is none: proto3 cannot tell the two apart. */
function isGiven(id: Buffer | undefined): id is Buffer {
  return id !== undefined && id.length > 0;
}

function operationOf({ delete: deleted, verify }: Write): WriteStep['operation'] {
  if (verify !== undefined) return 'verify';
  return deleted === undefined ? 'write' : 'delete';
}

export function pastReadsUnsupported(): StatusError {
  return new StatusError(
    'UNIMPLEMENTED',
    'Reads at a past time (read_time) are not supported by this server.',
  );
}
