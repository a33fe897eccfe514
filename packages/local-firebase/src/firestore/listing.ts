/** The REST-shaped methods: one document by name, creation with a new id, and paged lists of documents and collections. */
import { randomInt } from 'node:crypto';
import { pastReadsUnsupported } from './engine.ts';
import type { Caller } from './identity.ts';
import type { Document, DocumentMask, Order, Timestamp } from './messages.ts';
import { checkCollectionId, parseDocumentName, parseParent } from './path.ts';
import { pickFields } from './query.ts';
import type { Service } from './service.ts';
import { invalidArgument, StatusError } from './status.ts';
import { type StoredDocument, toMessage } from './stored-document.ts';

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
  const query = engine.compile(parent, { from: [{ collectionId }], orderBy });
  guard.checkList(caller, query);
  if (showMissing) {
    guard.checkAdmin(caller, parent);
    const ids = engine.store.childIds(`${parent}/${collectionId}`);
    const { items, nextPageToken } = page(ids, request);
    const documents = items.map((id) => {
      const name = `${parent}/${collectionId}/${id}`;
      const document = engine.read(name, request.transaction);
      return document === undefined ? { name } : masked(document, request.mask);
    });
    return { documents, ...nextPageToken };
  }
  const { items, nextPageToken } = page(engine.query(query, request.transaction), request);
  return { documents: items.map((document) => masked(document, request.mask)), ...nextPageToken };
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
  const { items, nextPageToken } = page(engine.store.childIds(request.parent), request);
  return { collectionIds: items, ...nextPageToken };
}

/** The document with the mask's fields alone: a mask without paths leaves the name and times. */
export function masked(document: StoredDocument, mask: DocumentMask | undefined): Document {
  if (mask === undefined) return toMessage(document);
  return toMessage({ ...document, fields: pickFields(document.fields, mask.fieldPaths ?? []) });
}

/** A page token is the position of the next item: the list may shift under a client that pages while others write. */
function page<Item>(
  items: Item[],
  { pageSize = 0, pageToken = '' }: { pageSize?: number; pageToken?: string },
): { items: Item[]; nextPageToken: { nextPageToken?: string } } {
  if (pageSize < 0) throw invalidArgument(`The page size is ${pageSize}: expected zero or more.`);
  if (!/^\d*$/.test(pageToken)) throw invalidArgument(`"${pageToken}" is not a page token of this server.`);
  const start = Number(pageToken);
  const end = start + (pageSize === 0 ? MAX_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE));
  return {
    items: items.slice(start, end),
    nextPageToken: end < items.length ? { nextPageToken: String(end) } : {},
  };
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
