/** Reads, commits and transactions over the store, and the feed of commits that listeners follow. */
import type { CommitCheck, WriteStep } from './guard.ts';
import type { CommitResponse, StructuredQuery, TransactionOptions, Write, WriteResult } from './messages.ts';
import { parentOf } from './path.ts';
import { type CompiledQuery, compileQuery } from './query.ts';
import { runQuery } from './run-query.ts';
import type { Scope } from './scope.ts';
import { StatusError } from './status.ts';
import type { Store } from './store.ts';
import type { StoredDocument } from './stored-document.ts';
import { type Clock, createCommitClock, timestampFromMicros } from './timestamp.ts';
import { contention, createTransactions, type Transaction } from './transactions.ts';
import { applyWrite, documentOf, failedPrecondition } from './write.ts';

/** One document's change in a commit. */
export type Change = {
  name: string;
  before: StoredDocument | undefined;
  after: StoredDocument | undefined;
};

type CommitListener = (changes: readonly Change[], commitMicros: number) => void;

export type Engine = {
  readonly store: Store;
  /** The time that a read made now may claim: never before a commit it shows. */
  readMicros(): number;
  begin(options: TransactionOptions | undefined): Buffer;
  rollback(transactionId: Buffer): void;
  /** Resolves when a transaction may read the documents without getting into the way of another; at once without one. */
  takeTurn(transactionId: Buffer | undefined, documentNames: readonly string[]): Promise<void>;
  /** A document, remembered by the transaction if there is one. */
  read(name: string, transactionId?: Buffer): StoredDocument | undefined;
  /** A query's results, not projected, remembered by the transaction if there is one. */
  query(query: CompiledQuery, transactionId?: Buffer): StoredDocument[];
  /**
   * Applies all writes or none. They are on disk, and listeners have been told, when this returns.
   *
   * @param check Asked once it is known what the writes would do, and before any precondition: a caller that may not
   * write learns nothing about what is stored.
   * @throws StatusError ABORTED when something that the transaction read has changed.
   */
  commit(writes: readonly Write[], transactionId?: Buffer, check?: CommitCheck): CommitResponse;
  /** Calls the listener after each commit that changed something. Returns the way to stop. */
  subscribe(listener: CommitListener): () => void;
};

export function createEngine(store: Store, clock: Clock): Engine {
  const commitClock = createCommitClock(clock, store.commitMicros());
  const transactions = createTransactions(clock);
  const listeners = new Set<CommitListener>();

  function transactionOf(id: Buffer | undefined): Transaction | undefined {
    return id === undefined || id.length === 0 ? undefined : transactions.get(id);
  }

  /** A read-only transaction shows one moment: what changed after it began is no longer there to read. */
  function checkSnapshot(transaction: Transaction | undefined, scope: Scope, name?: string): void {
    if (!transaction?.isReadOnly) return;
    const changed = store.changedSince(scope, transaction.beganAtVersion) ?? [];
    if (name === undefined ? changed.length > 0 : changed.includes(name)) throw contention();
  }

  function checkUnchanged({ isReadOnly, readVersions, queries }: Transaction): void {
    if (isReadOnly) return;
    for (const [name, version] of readVersions) {
      if ((store.read(name)?.version ?? 0) !== version) throw contention();
    }
    for (const { fingerprint, current } of queries) if (current() !== fingerprint) throw contention();
  }

  return {
    store,
    readMicros: commitClock.current,
    begin(options) {
      if (options?.readOnly?.readTime !== undefined) throw pastReadsUnsupported();
      return transactions.begin({
        isReadOnly: options?.readOnly !== undefined,
        beganAtVersion: store.version(),
      });
    },
    rollback: transactions.drop,
    async takeTurn(transactionId, documentNames) {
      if (transactionOf(transactionId) !== undefined)
        await transactions.takeTurn(transactionId!, documentNames);
    },
    read(name, transactionId) {
      const transaction = transactionOf(transactionId);
      const document = store.read(name);
      checkSnapshot(transaction, { kind: 'collection', path: parentOf(name) }, name);
      // The first read counts: a later one that differs is a change in between, and the commit must see it.
      if (transaction !== undefined && !transaction.readVersions.has(name)) {
        transaction.readVersions.set(name, document?.version ?? 0);
      }
      return document;
    },
    query(query, transactionId) {
      const transaction = transactionOf(transactionId);
      const results = runQuery(store, query);
      checkSnapshot(transaction, query.scope);
      transaction?.queries.push({
        fingerprint: fingerprintOf(results),
        current: () => fingerprintOf(runQuery(store, query)),
      });
      return results;
    },
    commit(writes, transactionId, check) {
      if (transactionId !== undefined && transactionId.length > 0) {
        const transaction = transactions.take(transactionId);
        if (transaction.isReadOnly && writes.length > 0) {
          throw new StatusError('INVALID_ARGUMENT', 'Cannot modify entities in a read-only transaction.');
        }
        checkUnchanged(transaction);
      }
      const stamp = { micros: commitClock.next(), version: store.version() + 1 };
      const commitTime = timestampFromMicros(stamp.micros);
      const staged = new Map<string, Change>();
      const steps: WriteStep[] = [];
      let refusal: StatusError | undefined;
      const writeResults: WriteResult[] = writes.map((write) => {
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
      if (changes.length > 0) {
        store.commit(new Map(changes.map(({ name, after }) => [name, after])), stamp.version, stamp.micros);
        for (const listener of listeners) listener(changes, stamp.micros);
      }
      return { writeResults, commitTime };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function operationOf({ delete: deleted, verify }: Write): WriteStep['operation'] {
  if (verify !== undefined) return 'verify';
  return deleted === undefined ? 'write' : 'delete';
}

/** A query of one request, checked. */
export function compiledQueryOf(parent: string, query: StructuredQuery | undefined): CompiledQuery {
  if (query === undefined) {
    throw new StatusError('UNIMPLEMENTED', 'Only structured queries are supported by this server.');
  }
  return compileQuery(parent, query);
}

export function pastReadsUnsupported(): StatusError {
  return new StatusError(
    'UNIMPLEMENTED',
    'Reads at a past time (read_time) are not supported by this server.',
  );
}

function fingerprintOf(documents: readonly StoredDocument[]): string {
  return documents.map(({ name, version }) => `${name}@${version}`).join('\n');
}
