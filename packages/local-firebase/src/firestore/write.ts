/** Applies one Write to one document: precondition, update mask, transforms. */
import { getField, NAME_FIELD, parseFieldPath, withField } from './field-path.ts';
import type { Fields, Precondition, Value, Write, WriteResult } from './messages.ts';
import { parseDocumentName } from './path.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { StoredDocument } from './stored-document.ts';
import { compareTimestamps, timestampFromMicros } from './timestamp.ts';
import { applyTransform } from './transforms.ts';
import { checkedFields, documentSizeBytes, haveIdenticalFields, MAX_DOCUMENT_BYTES } from './values.ts';

/** When and as what version the commit happens. */
export type CommitStamp = { micros: number; version: number };

/** `after` is undefined for no document and the very `before` where nothing changed. */
export type WriteOutcome = { after: StoredDocument | undefined; result: WriteResult };

/** The document a write is about. @throws StatusError INVALID_ARGUMENT when it names none. */
export function documentOf(write: Write): string {
  return parseDocumentName(write.update?.name ?? write.delete ?? write.verify ?? write.transform?.document)
    .name;
}

/**
 * Does what the write says, whatever its precondition.
 *
 * @param before The document as the commit has left it so far.
 * @throws StatusError when the write is not valid.
 */
export function applyWrite(
  write: Write,
  name: string,
  before: StoredDocument | undefined,
  stamp: CommitStamp,
): WriteOutcome {
  if (write.verify !== undefined) return { after: before, result: {} };
  if (write.delete !== undefined) return { after: undefined, result: {} };

  const updated = updatedFields(write, before?.fields ?? {});
  const transforms = write.updateTransforms ?? write.transform?.fieldTransforms ?? [];
  const transformResults: Value[] = [];
  let fields = updated;
  for (const transform of transforms) {
    const path = parseFieldPath(transform.fieldPath);
    const { value, result } = applyTransform(transform, getField(fields, path), stamp.micros);
    fields = withField(fields, path, value);
    transformResults.push(result);
  }
  const results = transformResults.length > 0 ? { transformResults } : {};

  if (before !== undefined && haveIdenticalFields(before.fields, fields)) {
    return { after: before, result: { updateTime: timestampFromMicros(before.updateMicros), ...results } };
  }
  const checked = checkedFields(fields);
  checkSize(name, checked);
  const after: StoredDocument = {
    name,
    fields: checked,
    createMicros: before?.createMicros ?? stamp.micros,
    updateMicros: stamp.micros,
    version: stamp.version,
  };
  return { after, result: { updateTime: timestampFromMicros(stamp.micros), ...results } };
}

function updatedFields(write: Write, before: Fields): Fields {
  if (write.update === undefined) return before;
  const given = write.update.fields ?? {};
  if (write.updateMask === undefined) return given;
  let fields = before;
  for (const text of write.updateMask.fieldPaths ?? []) {
    if (text === NAME_FIELD)
      throw invalidArgument(`Property name "${NAME_FIELD}" is invalid because it is reserved.`);
    const path = parseFieldPath(text);
    fields = withField(fields, path, getField(given, path));
  }
  return fields;
}

/**
 * Why the write's precondition does not hold, if so.
 *
 * @param isStaged Whether an earlier write of the same commit has touched the document.
 */
export function failedPrecondition(
  { currentDocument }: Write,
  name: string,
  before: StoredDocument | undefined,
  isStaged: boolean,
): StatusError | undefined {
  const { exists, updateTime }: Precondition = currentDocument ?? {};
  if (exists === true && before === undefined) {
    if (isStaged) return invalidArgument('cannot update a document deleted earlier in the same commit');
    return new StatusError('NOT_FOUND', `No document to update: ${name}`);
  }
  if (exists === false && before !== undefined) {
    if (isStaged) return invalidArgument('cannot create a document written earlier in the same commit');
    return new StatusError('ALREADY_EXISTS', `Document already exists: ${name}`);
  }
  if (updateTime === undefined) return undefined;
  const stored = before === undefined ? undefined : timestampFromMicros(before.updateMicros);
  if (stored !== undefined && compareTimestamps(stored, updateTime) === 0) return undefined;
  return new StatusError(
    'FAILED_PRECONDITION',
    `The stored version (${stored === undefined ? 'none' : JSON.stringify(stored)}) does not match the required base ` +
      `version (${JSON.stringify(updateTime)}) of ${name}.`,
  );
}

function checkSize(name: string, fields: Fields): void {
  const bytes = documentSizeBytes(name, fields);
  if (bytes <= MAX_DOCUMENT_BYTES) return;
  throw invalidArgument(
    `Document '${name}' cannot be written because its size (${bytes.toLocaleString('en-US')} bytes) exceeds the ` +
      `maximum allowed size of ${MAX_DOCUMENT_BYTES.toLocaleString('en-US')} bytes.`,
  );
}
