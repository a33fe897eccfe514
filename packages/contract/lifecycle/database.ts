/** One generation's documents, written and read as Firestore does it; each different content is one object. */
import { readSeen, type Seen } from '../src/seen-state.ts';
import type { NewGeneration, Write, Writes } from '../src/transition-writes.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The three documents of one generation. */
export interface Documents {
  readonly document: Fields | null;
  readonly record: Fields | null;
  readonly tombstone: Fields | null;
}

/** A content of the database. The same content is always the same object, so it can be compared and remembered. */
export interface Database extends Documents {
  readonly id: number;
  /** The same for contents that nobody can tell apart any more: how a generation ended makes no difference. */
  readonly kind: number;
  /** What a transaction reads in it. */
  readonly seen: Seen;
}

/** The one moment at which everything happens; what passes is told by moving stored times into the past. */
export const NOW_MS = 1_000_000_000;

export const GENERATION: NewGeneration = {
  path: 'generations/ada/images/f-1',
  userId: 'ada',
  fileUid: 'f-1',
  task: 'text2img',
  requestData: { prompt: 'a cat' },
  promptWords: ['a', 'cat'],
  parent: null,
  input: { prompt: 'a cat' },
};

/** Gives each different content one object. */
export function createDatabases(): (documents: Documents) => Database {
  const known = new Map<string, Database>();
  return (documents) => {
    const key = JSON.stringify([documents.document, documents.record, documents.tombstone].map(sorted));
    const found = known.get(key);
    if (found !== undefined) return found;
    const { document, record, tombstone } = documents;
    const toMillis = (value: unknown) => (typeof value === 'number' ? value : null);
    const seen = readSeen({ nowMs: NOW_MS, ...documents }, toMillis);
    const status = seen.document?.status ?? '';
    const isOver = seen.record === null && (status === 'completed' || status === 'failed');
    const database = { id: known.size, kind: isOver ? 0 : known.size + 1, document, record, tombstone, seen };
    known.set(key, database);
    return database;
  };
}

function sorted(fields: Fields | null): unknown {
  return fields && Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The lease lapses and the record becomes due. */
export function afterAWhile(documents: Documents): Documents {
  const { document, record, tombstone } = documents;
  if (record === null) return documents;
  const lease = typeof record['lease_renewed_at'] === 'number' ? 0 : null;
  return { document, record: { ...record, lease_renewed_at: lease, due_at: 0 }, tombstone };
}

/** Commits writes; a text instead where Firestore would refuse them. */
export function commit(before: Documents, writes: Writes): Documents | string {
  const after = { document: before.document, record: before.record, tombstone: before.tombstone };
  for (const place of ['document', 'record', 'tombstone'] as const) {
    const write = writes[place];
    if (write === null) continue;
    if (write.op === 'create' && before[place] !== null) return `a write creates a ${place} that exists`;
    if (write.op === 'update' && before[place] === null)
      return `a write updates a ${place} that does not exist`;
    after[place] = write.op === 'delete' ? null : applied(before[place] ?? {}, write);
  }
  return after;
}

function applied(before: Fields, write: Write): Fields {
  const after: Record<string, unknown> = { ...before, ...write.set, ...write.times };
  for (const name of write.serverTimestamp) after[name] = NOW_MS;
  for (const name of write.remove) delete after[name];
  return after;
}
