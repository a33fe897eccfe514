/** Decides for the Firebase API who calls and what that caller may touch. */
import type { Context } from 'hono';
import { decodeIdToken } from '../auth/tokens.ts';
import type { Logger } from '../logger.ts';
import { authValue, type Identity } from '../rules/authentication.ts';
import { createDocumentLookups } from '../rules/document-lookups.ts';
import type { DocumentReader } from '../rules/firestore-values.ts';
import type { LiveRules } from '../rules/live-rules.ts';
import { anySegment, type QuestionPath } from '../rules/match-path.ts';
import { incomingValue, objectValue, timestampOfMillis } from '../rules/storage-values.ts';
import { pathOf, type RulesMap, type RulesValue } from '../rules/values.ts';
import type { SealedContent } from './content.ts';
import { StorageRequestError } from './errors.ts';
import type { ObjectFields, StoredObject } from './object.ts';

/** An object as it would be after the request: `request.resource` of security rules. */
export type IncomingObject = Pick<SealedContent, 'sizeBytes'> &
  Partial<Pick<SealedContent, 'md5' | 'crc32c'>> & { fields: ObjectFields };

/**
 * What a client wants to do, in the words of security rules. Bytes are a `create`, even over an old object (`current`);
 * metadata alone is an `update`. A list names the folder or prefix in `path`.
 */
type ClientRequest = { bucket: string; path: string } & (
  | { method: 'get' | 'delete'; current: StoredObject | null }
  | { method: 'list' }
  | { method: 'create' | 'update'; current: StoredObject | null; incoming: IncomingObject }
);

/** Asked by every route of the Firebase API. */
export type ClientAccess = {
  /** @throws StorageRequestError 401 for a token that does not hold, 403 when the caller may not do it. */
  ensure(context: Context, request: ClientRequest): Promise<void>;
  /** @throws StorageRequestError 403 */
  ensureAdministrator(context: Context): void;
  /** firebase-admin's getDownloadURL() sends an emulator no credential: only its client header tells it from an app. */
  isAdminClient(context: Context): boolean;
};

/** What the decisions need. */
export type ClientAccessParts = {
  projectId: string;
  rules: LiveRules;
  /** For `firestore.get()` and `firestore.exists()`; without it no document is there. */
  readDocument: DocumentReader | undefined;
  /** Milliseconds since 1970. */
  clock: () => number;
  logger: Logger;
};

/** The cloud lets Storage rules look up no more documents of Firestore for one request. */
const maxDocuments = 2;

export function createClientAccess(parts: ClientAccessParts): ClientAccess {
  const { projectId, rules, readDocument = () => undefined, clock, logger } = parts;
  const isOwner = (context: Context) =>
    /^(bearer|firebase) owner$/i.test(context.req.header('authorization') ?? '');

  function identityOf(context: Context): Identity | null {
    const authorization = context.req.header('authorization');
    if (authorization === undefined) return null;
    const token = /^(?:firebase|bearer) (.+)$/i.exec(authorization)?.[1] ?? '';
    const claims = decodeIdToken(token, { projectId, nowSeconds: Math.floor(clock() / 1000) });
    if (claims === null) {
      throw new StorageRequestError(
        401,
        'authError',
        'The ID token is malformed, expired, or of another project.',
      );
    }
    return { uid: claims.uid, claims: claims.payload };
  }

  function requestValue(identity: Identity | null, request: ClientRequest, path: QuestionPath): RulesMap {
    const { method } = request;
    const isKnown = (segment: QuestionPath[number]): segment is string => typeof segment === 'string';
    return new Map<string, RulesValue>([
      ['auth', authValue(identity)],
      ['method', method],
      ['path', path.every(isKnown) ? pathOf(path) : { kind: 'unknown', constraints: [] }],
      ['time', timestampOfMillis(clock())],
      ...('incoming' in request ? [['resource', resourceAfter(request, clock())] as const] : []),
      ...(method === 'delete' ? [['resource', null] as const] : []),
    ]);
  }

  return {
    async ensure(context, request) {
      if (isOwner(context)) return;
      const identity = identityOf(context);
      const path = questionPath(request);
      const decision = rules.current()?.decide({
        method: request.method,
        path,
        request: requestValue(identity, request, path),
        resource: 'current' in request ? objectValue(request.current) : null,
        document: createDocumentLookups(
          projectId,
          { before: readDocument, after: readDocument },
          maxDocuments,
        ).forOperation(),
      });
      if (decision?.isAllowed) return;
      const { method, bucket, path: name } = request;
      const reasons = decision?.reasons ?? ['There are no security rules.'];
      const uid = identity?.uid ?? null;
      logger.info({ method, bucket, path: name, uid, reasons }, 'The security rules deny a request');
      throw new StorageRequestError(403, 'forbidden', `Permission denied: no ${method} access to this path.`);
    },
    ensureAdministrator(context) {
      if (!isOwner(context))
        throw new StorageRequestError(403, 'forbidden', 'Permission denied: administrators only.');
    },
    isAdminClient: (context) =>
      context.req.header('authorization') === undefined &&
      /\bgccl\//.test(context.req.header('x-goog-api-client') ?? ''),
  };
}

/** `request.resource`: changed metadata leaves the rest of the object as it is, bytes make a new one. */
function resourceAfter(
  { bucket, path, method, current, incoming }: Extract<ClientRequest, { method: 'create' | 'update' }>,
  nowMs: number,
): RulesValue {
  return method === 'update' && current !== null
    ? objectValue({ ...current, fields: incoming.fields })
    : incomingValue({ ...incoming, bucket, name: path }, nowMs);
}

/** A list asks at the path of its folder. A prefix that ends within a name asks about every folder that begins so. */
function questionPath({ bucket, path, method }: ClientRequest): QuestionPath {
  const above = ['b', bucket, 'o'];
  if (method !== 'list') return [...above, ...path.split('/')];
  const folders = path.split('/');
  const last = folders.pop();
  const open: QuestionPath = last === '' ? [] : [anySegment];
  return [...above, ...folders, ...open];
}
