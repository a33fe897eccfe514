/** The contract's transition function on Firestore: read, decide and write, all in one transaction. */
import {
  type Decision,
  decide,
  jobRecordPath,
  readSeen,
  type TransitionEvent,
  type TransitionPolicy,
  tombstonePath,
  type Write,
} from '@firepod/contract';
import {
  type DocumentData,
  type DocumentReference,
  FieldValue,
  type Firestore,
  Timestamp,
  type Transaction,
} from 'firebase-admin/firestore';

/** Where a generation lies. */
export interface GenerationLocation {
  /** `generations/{user_id}/{images|videos}/{file_uid}` */
  readonly path: string;
  readonly fileUid: string;
}

/** What was decided, and what was there before. */
export interface TransitionResult {
  readonly decision: Decision;
  readonly document: DocumentData | undefined;
  readonly record: DocumentData | undefined;
}

/** Generations as the functions change them. Effects of a decision are the caller's: a transaction may run again. */
export interface GenerationStore {
  readonly firestore: Firestore;
  /** Decides on one event and writes what was decided. */
  transition(location: GenerationLocation, event: TransitionEvent): Promise<TransitionResult>;
  /** The same inside a transaction that does more: all its reads come before, all its writes after. */
  transitionWithin(
    transaction: Transaction,
    location: GenerationLocation,
    event: TransitionEvent,
  ): Promise<TransitionResult>;
}

/** Works on the given database by the given numbers. */
export function createGenerationStore(firestore: Firestore, policy: TransitionPolicy): GenerationStore {
  async function transitionWithin(
    transaction: Transaction,
    location: GenerationLocation,
    event: TransitionEvent,
  ): Promise<TransitionResult> {
    const references = {
      document: firestore.doc(location.path),
      record: firestore.doc(jobRecordPath(location.fileUid)),
      tombstone: firestore.doc(tombstonePath(location.fileUid)),
    };
    const { document, record, tombstone } = references;
    const [documentSnapshot, recordSnapshot, tombstoneSnapshot] = await transaction.getAll(
      document,
      record,
      tombstone,
    );
    const snapshots = {
      nowMs: documentSnapshot!.readTime.toMillis(),
      document: documentSnapshot!.data(),
      record: recordSnapshot!.data(),
      tombstone: tombstoneSnapshot!.data(),
    };
    const decision = decide(readSeen(snapshots, toMillis), event, policy);
    if (decision.kind === 'write') {
      for (const target of ['document', 'record', 'tombstone'] as const) {
        const write = decision[target];
        if (write !== null) applyWrite(transaction, references[target], write);
      }
    }
    return { decision, document: snapshots.document, record: snapshots.record };
  }

  return {
    firestore,
    transition: (location, event) =>
      firestore.runTransaction((transaction) => transitionWithin(transaction, location, event)),
    transitionWithin,
  };
}

function toMillis(value: unknown): number | null {
  return value instanceof Timestamp ? value.toMillis() : null;
}

function applyWrite(transaction: Transaction, reference: DocumentReference, write: Write): void {
  if (write.op === 'delete') {
    transaction.delete(reference);
    return;
  }
  const fields: DocumentData = { ...write.set };
  for (const [name, epochMs] of Object.entries(write.times)) fields[name] = Timestamp.fromMillis(epochMs);
  for (const name of write.serverTimestamp) fields[name] = FieldValue.serverTimestamp();
  for (const name of write.remove) fields[name] = FieldValue.delete();
  if (write.op === 'create') transaction.create(reference, fields);
  else transaction.update(reference, fields);
}
