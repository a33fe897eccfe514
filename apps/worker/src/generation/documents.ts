/** The Firestore side of the contract's transition function: reads what it needs, asks it, writes what it says. */
import {
  type Decision,
  decide,
  jobRecordPath,
  readSeen,
  type Seen,
  type TransitionEvent,
  type TransitionPolicy,
  tombstonePath,
  type Write,
  type Writes,
} from '@firepod/contract';
import {
  type DocumentReference,
  type DocumentSnapshot,
  FieldValue,
  type Firestore,
  type Precondition,
  Timestamp,
  type Transaction,
  type WriteBatch,
} from 'firebase-admin/firestore';

/** Where a generation's three documents lie. */
export interface GenerationDocuments {
  document: DocumentReference;
  record: DocumentReference;
  tombstone: DocumentReference;
}

/** What one transaction saw and decided. */
export interface TransitionResult {
  decision: Decision;
  seen: Seen;
  /** The generation's document as it was read; undefined where there was none. */
  stored: Record<string, unknown> | undefined;
}

/** @param path as the contract's `generationPath` makes it */
export function generationDocuments(
  firestore: Firestore,
  path: string,
  fileUid: string,
): GenerationDocuments {
  return {
    document: firestore.doc(path),
    record: firestore.doc(jobRecordPath(fileUid)),
    tombstone: firestore.doc(tombstonePath(fileUid)),
  };
}

/** Lets the transition function decide on `event`, and writes its decision, in one transaction. */
export function transition(
  documents: GenerationDocuments,
  event: TransitionEvent,
  policy: TransitionPolicy,
): Promise<TransitionResult> {
  const { firestore } = documents.document;
  return firestore.runTransaction(async (transaction) => {
    const snapshots = await transaction.getAll(documents.document, documents.record, documents.tombstone);
    const { seen, stored } = seenIn(snapshots);
    const decision = decide(seen, event, policy);
    if (decision.kind === 'write') applyWrites(transaction, documents, decision);
    return { decision, seen, stored };
  });
}

/** Reads the three documents at one moment, without a lock. */
export async function readGeneration(documents: GenerationDocuments) {
  const { document, record, tombstone } = documents;
  const snapshots = await document.firestore.getAll(document, record, tombstone);
  return { ...seenIn(snapshots), updateTime: snapshots[0]?.updateTime };
}

/** Adds the writes of a decision to a transaction or a batch; `precondition` guards the generation's document. */
export function applyWrites(
  target: Transaction | WriteBatch,
  documents: GenerationDocuments,
  writes: Writes,
  precondition: Precondition = {},
): void {
  applyWrite(target, documents.document, writes.document, precondition);
  applyWrite(target, documents.record, writes.record);
  applyWrite(target, documents.tombstone, writes.tombstone);
}

/** Whether a value is Firestore's time, for the contract's `parseGeneration`. */
export function isTimestamp(value: unknown): value is Timestamp {
  return value instanceof Timestamp;
}

function seenIn(snapshots: readonly DocumentSnapshot[]): Pick<TransitionResult, 'seen' | 'stored'> {
  const [document, record, tombstone] = snapshots.map((snapshot) => snapshot.data());
  const nowMs = snapshots[0]!.readTime.toMillis();
  const toMillis = (value: unknown) => (isTimestamp(value) ? value.toMillis() : null);
  return { seen: readSeen({ nowMs, document, record, tombstone }, toMillis), stored: document };
}

function applyWrite(
  target: Transaction | WriteBatch,
  reference: DocumentReference,
  write: Write | null,
  precondition: Precondition = {},
): void {
  if (write === null) return;
  // Both classes have the same three methods, but their overloads differ and do not unite.
  const writer = target as WriteBatch;
  if (write.op === 'delete') writer.delete(reference, precondition);
  else if (write.op === 'create') writer.create(reference, fieldsOf(write));
  else writer.update(reference, fieldsOf(write), precondition);
}

function fieldsOf({ set, times, serverTimestamp, remove }: Write): Record<string, unknown> {
  return {
    ...set,
    ...mapEach(Object.keys(times), (field) => Timestamp.fromMillis(times[field]!)),
    ...mapEach(serverTimestamp, () => FieldValue.serverTimestamp()),
    ...mapEach(remove, () => FieldValue.delete()),
  };
}

function mapEach(fields: readonly string[], toValue: (field: string) => unknown): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field, toValue(field)]));
}
