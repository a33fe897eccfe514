/** What one commit may hold: https://firebase.google.com/docs/firestore/quotas#writes_and_transactions */
import type { Write } from './messages.ts';
import { invalidArgument } from './status.ts';
import { fieldsSizeBytes } from './values.ts';

/** The size of a transaction; single documents have their own limit. */
const MAX_COMMIT_BYTES = 10 * 1024 * 1024;
const MAX_TRANSFORMS_PER_DOCUMENT = 500;
const MAX_BATCH_WRITES = 500;

/** @throws StatusError INVALID_ARGUMENT */
export function checkCommitSize(writes: readonly Write[]): void {
  let bytes = 0;
  const transforms = new Map<string, number>();
  for (const { update, transform, updateTransforms } of writes) {
    if (update?.fields !== undefined) bytes += fieldsSizeBytes(update.fields);
    const added = (updateTransforms ?? transform?.fieldTransforms ?? []).length;
    if (added === 0) continue;
    const name = update?.name ?? transform?.document ?? '';
    const count = (transforms.get(name) ?? 0) + added;
    transforms.set(name, count);
    if (count > MAX_TRANSFORMS_PER_DOCUMENT) {
      throw invalidArgument(
        `Too many field transformations on ${name}: maximum of ${MAX_TRANSFORMS_PER_DOCUMENT} allowed, got ${count}.`,
      );
    }
  }
  if (bytes > MAX_COMMIT_BYTES) throw invalidArgument('Transaction too big. Decrease transaction size.');
}

/** @throws StatusError INVALID_ARGUMENT for a BatchWrite that is too long or names a document twice. */
export function checkBatchWrite(names: readonly string[]): void {
  if (names.length > MAX_BATCH_WRITES) {
    throw invalidArgument(`maximum ${MAX_BATCH_WRITES} writes allowed per request`);
  }
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw invalidArgument(`cannot write to the same document twice in one BatchWrite: ${repeated}`);
  }
}
