/** The REST-shaped methods: one document by name, creation with a new id, and paged lists of documents and collections. */
import { randomInt } from 'node:crypto';
import { pastReadsUnsupported } from './engine.ts';
import { valueAt } from './filter.ts';
import type { Caller } from './identity.ts';
import type { Cursor, Document, DocumentMask, Order, Timestamp } from './messages.ts';
import { checkCollectionId, compareUtf8, parseDocumentName, parseParent } from './path.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import { type CompiledQuery, pickFields } from './query.ts';
import type { Service } from './service.ts';
import { invalidArgument, StatusError } from './status.ts';
import { type StoredDocument, toMessage } from './stored-document.ts';
import { kindOf } from './values.ts';

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const ID_LENGTH = 20;
const MAX_PAGE_SIZE = 1000;

type GetDocumentRequest = { name: string; mask?: DocumentMask; transaction?: Buffer; readTime?: Timestamp };

export function getDocument({ engine, guard }: Service, caller: Caller, request: GetDocumentRequest): object {
  if (request.readTime !== undefined) throw pastReadsUnsupported();
  guard.checkReads(caller, [parseDocumentName(request.name).name]);
  const document = engine.read(request.name, request.transaction);
  if (document === undefined) throw new StatusError('NOT_FOUND', `Document "${request.name}" not found.`);
  return masked(document, request.mask);
}

type CreateDocumentRequest = {
  parent: string;
  collectionId: string;
  documentId?: string;
  document?: Document;
  mask?: DocumentMask;
};

export async function createDocument(
  { engine, guard }: Service,
  caller: Caller,
  request: CreateDocumentRequest,
): Promise<object> {
  parseParent(request.parent);
  checkCollectionId(request.collectionId ?? '');
  const id = request.documentId || randomId();
  const name = parseDocumentName(`${request.parent}/${request.collectionId}/${id}`).name;
  const write = {
    update: { name, fields: request.document?.fields ?? {} },
    currentDocument: { exists: false },
  };
  await engine.commit([write], undefined, guard.commitCheck(caller));
  return masked(engine.read(name)!, request.mask);
}

type ListDocumentsRequest = {
  parent: string;
  collectionId?: string;
  pageSize?: number;
  pageToken?: string;
  orderBy?: string;
  mask?: DocumentMask;
  transaction?: Buffer;
  readTime?: Timestamp;
  showMissing?: boolean;
};

export function listDocuments(
  { engine, guard }: Service,
  caller: Caller,
  request: ListDocumentsRequest,
): object {
  if (request.readTime !== undefined) throw pastReadsUnsupported();
  const { parent, collectionId = '', showMissing = false } = request;
  const orderBy = parseOrderBy(request.orderBy ?? '');
  if (showMissing && orderBy.length > 0)
    throw invalidArgument('show_missing and order_by exclude each other.');
  const pageSize = pageSizeOf(request);
  const startAt = showMissing ? undefined : cursorOfToken(request.pageToken);
  const query = engine.compile(parent, {
    from: [{ collectionId }],
    orderBy,
    ...(startAt === undefined ? {} : { startAt }),
    // One more tells whether there is another page.
    limit: { value: pageSize + 1 },
  });
  guard.checkList(caller, query);
  if (showMissing) {
    guard.checkAdmin(caller, parent);
    const ids = pageOfIds(engine.store.childIds(`${parent}/${collectionId}`), request);
    const documents = ids.items.map((id) => {
      const name = `${parent}/${collectionId}/${id}`;
      const document = engine.read(name, request.transaction);
      return document === undefined ? { name } : masked(document, request.mask);
    });
    return { documents, ...ids.nextPageToken };
  }
  const found = engine.query(query, request.transaction);
  const documents = found.slice(0, pageSize);
  const last = documents.at(-1);
  const nextPageToken =
    found.length > documents.length && last !== undefined ? { nextPageToken: tokenAfter(query, last) } : {};
  return { documents: documents.map((document) => masked(document, request.mask)), ...nextPageToken };
}

/** A page token is the cursor after the last document of the page before: what others write in between moves nothing. */
function tokenAfter(query: CompiledQuery, document: StoredDocument): string {
  const values = query.sortKeys.map(({ fieldPath }) => valueAt(document, fieldPath)!);
  return encodeMessage('Cursor', { values, before: false }).toString('base64url');
}

function cursorOfToken(token = ''): Cursor | undefined {
  if (token === '') return undefined;
  try {
    const cursor: Cursor = decodeMessage('Cursor', Buffer.from(token, 'base64url'));
    for (const value of cursor.values ?? []) kindOf(value);
    return cursor;
  } catch (cause) {
    throw invalidArgument(`"${token}" is not a page token of this server.`, { cause });
  }
}

type ListCollectionIdsRequest = {
  parent: string;
  pageSize?: number;
  pageToken?: string;
  readTime?: Timestamp;
};

/** Clients may not: it names collections that no rule speaks of. */
export function listCollectionIds(
  { engine, guard }: Service,
  caller: Caller,
  request: ListCollectionIdsRequest,
): object {
  if (request.readTime !== undefined) throw pastReadsUnsupported();
  parseParent(request.parent);
  guard.checkAdmin(caller, request.parent);
  const { items, nextPageToken } = pageOfIds(engine.store.childIds(request.parent), request);
  return { collectionIds: items, ...nextPageToken };
}

/** The document with the mask's fields alone: a mask without paths leaves the name and times. */
export function masked(document: StoredDocument, mask: DocumentMask | undefined): Document {
  if (mask === undefined) return toMessage(document);
  return toMessage({ ...document, fields: pickFields(document.fields, mask.fieldPaths ?? []) });
}

function pageSizeOf({ pageSize = 0 }: { pageSize?: number }): number {
  if (pageSize < 0) throw invalidArgument(`The page size is ${pageSize}: expected zero or more.`);
  return pageSize === 0 ? MAX_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** A page of sorted ids; the token is the last id of the page before. */
function pageOfIds(
  ids: string[],
  request: { pageSize?: number; pageToken?: string },
): { items: string[]; nextPageToken: { nextPageToken?: string } } {
  const after = Buffer.from(request.pageToken ?? '', 'base64url').toString();
  const rest = after === '' ? ids : ids.filter((id) => compareUtf8(id, after) > 0);
  const items = rest.slice(0, pageSizeOf(request));
  const token = Buffer.from(items.at(-1) ?? '').toString('base64url');
  return { items, nextPageToken: items.length < rest.length ? { nextPageToken: token } : {} };
}

/** "a desc, b.c": the notation of REST's orderBy parameter. */
function parseOrderBy(text: string): Order[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => {
    const [fieldPath = '', direction = 'asc', ...rest] = part.trim().split(/\s+/);
    if (fieldPath === '' || rest.length > 0 || !/^(asc|desc)$/i.test(direction)) {
      throw invalidArgument(`"${text}" is not an order: expected "field [asc|desc], …".`);
    }
    return {
      field: { fieldPath },
      direction: direction.toLowerCase() === 'desc' ? 'DESCENDING' : 'ASCENDING',
    };
  });
}

function randomId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}
