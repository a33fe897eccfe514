/** Resource names: projects/P/databases/D/documents/…, their parts, and what ids may be. */
import { invalidArgument } from './status.ts';

/** Firestore's limit for an id, in bytes of UTF-8. */
const MAX_ID_BYTES = 1500;
/** https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields */
const MAX_NAME_BYTES = 6144;
const MAX_DEPTH = 100;

/** Ids of the form __id7__ stand for the numeric ids of Datastore and are the only reserved ids that may be used. */
const NUMERIC_ID = /^__id(-?\d{1,19})__$/;
const RESERVED_ID = /^__.*__$/s;

/** `root` is projects/P/databases/D/documents; `segments` is what follows. */
export type ResourcePath = { name: string; database: string; segments: string[] };

/**
 * Splits a name below a database's documents. Zero segments is the root, an even count a document, odd a collection.
 *
 * @throws StatusError INVALID_ARGUMENT when the name has another shape or an id that Firestore refuses.
 */
export function parseResourcePath(name: string): ResourcePath {
  const parts = name.split('/');
  if (parts.length < 5 || parts[0] !== 'projects' || parts[2] !== 'databases' || parts[4] !== 'documents') {
    throw invalidArgument(
      `Invalid resource name "${name}": expected projects/{project}/databases/{database}/documents/{path}.`,
    );
  }
  const segments = parts.slice(5);
  for (const segment of segments) checkId(segment, name);
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw invalidArgument(`The resource name is longer than ${MAX_NAME_BYTES} bytes.`);
  }
  if (segments.length > MAX_DEPTH * 2) {
    throw invalidArgument(`The resource name is nested deeper than ${MAX_DEPTH} collections.`);
  }
  return { name, database: parts.slice(0, 4).join('/'), segments };
}

/** As {@link parseResourcePath}, for a name that must be a document's. */
export function parseDocumentName(name: string | undefined): ResourcePath {
  const path = parseResourcePath(name ?? '');
  if (path.segments.length === 0 || path.segments.length % 2 !== 0) {
    throw invalidArgument(
      `Document name "${name}" has an odd number of segments below documents: expected collection/document pairs.`,
    );
  }
  return path;
}

/** As {@link parseResourcePath}, for the parent of collections: the root or a document. */
export function parseParent(name: string | undefined): ResourcePath {
  const path = parseResourcePath(name ?? '');
  if (path.segments.length % 2 !== 0) {
    throw invalidArgument(`Parent "${name}" is a collection: expected the documents root or a document.`);
  }
  return path;
}

/** @throws StatusError INVALID_ARGUMENT with the cloud's wording for reserved ids. */
function checkId(id: string, where: string): void {
  if (id === '') throw invalidArgument(`Resource name "${where}" has an empty segment.`);
  if (id === '.' || id === '..' || (RESERVED_ID.test(id) && numericIdOf(id) === undefined)) {
    throw invalidArgument(`Resource id "${id}" is invalid because it is reserved.`);
  }
  // A UTF-8 string is never shorter than its UTF-16 length, so most ids need no count.
  if (id.length * 3 > MAX_ID_BYTES && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw invalidArgument(`The key path element name is longer than ${MAX_ID_BYTES} bytes.`);
  }
}

/** Collection ids come apart from names; the rules are the same, and a slash is one of them. */
export function checkCollectionId(id: string): void {
  if (id.includes('/')) throw invalidArgument(`Collection id "${id}" is invalid because it contains "/".`);
  checkId(id, id);
}

/** The name without its last segment. */
export function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'));
}

/** The last segment of a name. */
export function lastSegmentOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** projects/P/databases/D of any name below it. */
export function databaseOf(name: string): string {
  return name.split('/', 4).join('/');
}

/** The path below documents, as access rules write it. */
export function relativePath(name: string): string {
  return name.split('/').slice(5).join('/');
}

/** UTF-8 byte order, which differs from UTF-16 order where surrogates meet U+E000–U+FFFF. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a === b) continue;
    const aIsSurrogate = a >= 0xd800 && a <= 0xdfff;
    const bIsSurrogate = b >= 0xd800 && b <= 0xdfff;
    if (aIsSurrogate !== bIsSurrogate) return aIsSurrogate ? 1 : -1;
    return a < b ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

/** Names compare id by id: numeric ids first by number, then the others by UTF-8. */
export function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  const leftSegments = left.split('/');
  const rightSegments = right.split('/');
  const length = Math.min(leftSegments.length, rightSegments.length);
  for (let index = 0; index < length; index++) {
    const order = compareIds(leftSegments[index]!, rightSegments[index]!);
    if (order !== 0) return order;
  }
  return Math.sign(leftSegments.length - rightSegments.length);
}

/** The number that an id of the form __id7__ stands for. */
export function numericIdOf(id: string): bigint | undefined {
  // Most ids are told apart by their first characters.
  const digits = id.startsWith('__id') ? NUMERIC_ID.exec(id)?.[1] : undefined;
  if (digits === undefined) return undefined;
  const number = BigInt(digits);
  return BigInt.asIntN(64, number) === number ? number : undefined;
}

function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  const leftNumber = numericIdOf(left);
  const rightNumber = numericIdOf(right);
  if (leftNumber !== undefined && rightNumber !== undefined) {
    // __id1__ and __id01__ are two ids of one number: the text keeps the order total.
    if (leftNumber !== rightNumber) return leftNumber < rightNumber ? -1 : 1;
    return compareUtf8(left, right);
  }
  if (leftNumber !== undefined) return -1;
  if (rightNumber !== undefined) return 1;
  return compareUtf8(left, right);
}
