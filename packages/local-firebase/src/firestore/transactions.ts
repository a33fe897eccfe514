/** Open transactions: what each has read, so that a commit can tell whether any of it has changed since. */
import { randomBytes } from 'node:crypto';
import { invalidArgument, StatusError } from './status.ts';
import type { Clock } from './timestamp.ts';
import { createTransactionTurns } from './transaction-turns.ts';

/** Firestore ends a transaction after 270 s; it also ends one after 60 s without a request. */
const MAX_AGE_MS = 270_000;
const MAX_IDLE_MS = 60_000;

export type Transaction = {
  readonly isReadOnly: boolean;
  /** The newest version when it began: a read-only transaction reads nothing newer. */
  readonly beganAtVersion: number;
  /** Version of each document read, 0 where there was none. */
  readonly readVersions: Map<string, number>;
  /** Each query run gives its present fingerprint on demand. */
  readonly queries: { fingerprint: string; current: () => string }[];
};

export type Transactions = {
  begin(options: { isReadOnly: boolean; beganAtVersion: number }): Buffer;
  /** @throws StatusError INVALID_ARGUMENT when it is not open. */
  get(id: Buffer): Transaction;
  /** Resolves when it is this transaction's turn to read documents that others have read; never long after. */
  takeTurn(id: Buffer, documentNames: readonly string[]): Promise<void>;
  /** As get, and it is open no more. */
  take(id: Buffer): Transaction;
  /** Ends it; one that is not open is no error. */
  drop(id: Buffer): void;
};

export function createTransactions(clock: Clock): Transactions {
  const open = new Map<string, { transaction: Transaction; beganAtMs: number; usedAtMs: number }>();

  const turns = createTransactionTurns();

  function isExpired({ beganAtMs, usedAtMs }: { beganAtMs: number; usedAtMs: number }): boolean {
    return clock() - beganAtMs > MAX_AGE_MS || clock() - usedAtMs > MAX_IDLE_MS;
  }

  function get(id: Buffer): Transaction {
    const entry = open.get(id.toString('hex'));
    if (entry === undefined || isExpired(entry)) {
      throw invalidArgument('The referenced transaction has expired or is no longer valid.');
    }
    entry.usedAtMs = clock();
    return entry.transaction;
  }

  function drop(id: Buffer): void {
    close(id.toString('hex'));
  }

  function close(key: string): void {
    open.delete(key);
    turns.release(key);
  }

  return {
    begin(options) {
      for (const [key, entry] of open) if (isExpired(entry)) close(key);
      const id = randomBytes(12);
      const transaction: Transaction = { ...options, readVersions: new Map(), queries: [] };
      open.set(id.toString('hex'), { transaction, beganAtMs: clock(), usedAtMs: clock() });
      return id;
    },
    get,
    async takeTurn(id, documentNames) {
      if (get(id).isReadOnly) return;
      await turns.take(id.toString('hex'), documentNames);
      // It may have ended while it waited: then its turns must not stay taken.
      if (!open.has(id.toString('hex'))) turns.release(id.toString('hex'));
    },
    take(id) {
      const transaction = get(id);
      drop(id);
      return transaction;
    },
    drop,
  };
}

/** The refusal that makes SDKs run the transaction again. */
export function contention(): StatusError {
  return new StatusError('ABORTED', 'Too much contention on these documents. Please try again.');
}
