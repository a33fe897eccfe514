/** Starts a Cloud Storage for Firebase of our own: bytes in files, the index in libsql, three APIs on one port. */
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { openDatabase } from '../database.ts';
import { LocalFirebaseError } from '../errors.ts';
import { createEventQueue, EVENT_QUEUE_SCHEMA } from '../events/event-queue.ts';
import { type ListenOptions, listen, type RunningServer } from '../http-server.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { DocumentReader } from '../rules/firestore-values.ts';
import { type LiveRules, openRules, type RulesSource } from '../rules/live-rules.ts';
import { pushedRules } from '../rules/pushed-rules.ts';
import { type BucketSettings, createBuckets } from './buckets.ts';
import { createClientAccess } from './client-access.ts';
import { openContentFolder } from './content.ts';
import { openCorsHeaders, openPreflight } from './cors.ts';
import { errorResponse, invalid, StorageRequestError } from './errors.ts';
import { createFirebaseApi } from './firebase-api.ts';
import { createJsonApi } from './json-api.ts';
import { createJsonUploads } from './json-uploads.ts';
import { createObjectIndex, objectsSchema } from './objects.ts';
import { createPublicAccess } from './public-access.ts';
import { createStorageService, type StorageService } from './service.ts';
import { createUrlVerifier, type ServiceAccount } from './signed-urls.ts';
import { createStorageTriggers, type StorageTriggers } from './triggers.ts';
import { createUploadSessions, uploadSessionsSchema } from './upload-sessions.ts';
import { createXmlAccess, type XmlAccess } from './xml-access.ts';

/** How to start Storage. */
export type StorageOptions = ListenOptions & {
  /** Whose ID tokens web clients show. */
  projectId: string;
  /** Made when absent: `storage.db`, `objects/`, `uploads/`. */
  dataFolder: string;
  /** The buckets that exist; any other name is 404. */
  buckets: Record<string, BucketSettings>;
  /** What web clients may do; nothing when absent. The Admin SDK may do everything. */
  rules?: RulesSource;
  /** Finds what `firestore.get()` in rules asks for; without it there are no documents. */
  readDocument?: DocumentReader;
  /** Whose signed URLs hold; none when absent. */
  serviceAccounts?: readonly ServiceAccount[];
  /** Milliseconds since 1970; for tests. */
  clock?: () => number;
  logger?: Logger;
};

/** A running Storage, whose buckets can be changed as an owner would in the console. */
export type RunningStorage = RunningServer & {
  /** Replaces the given settings of a bucket until the next start. */
  configureBucket(name: string, settings: BucketSettings): void;
};

/** Raise it with the tables. */
const schemaVersion = 1;

/**
 * Starts Storage and resolves when it listens. Tell the web SDK with `connectStorageEmulator(storage, host, port)` or
 * `emulatorHosts.storage`, the Admin SDK with `FIREBASE_STORAGE_EMULATOR_HOST=host:port`.
 *
 * @throws LocalFirebaseError `data_unreadable`, `address_unavailable`, `invalid_configuration` or `invalid_rules`.
 */
export async function startStorage(options: StorageOptions): Promise<RunningStorage> {
  const { dataFolder, clock = Date.now, logger = silentLogger } = options;
  const buckets = createBuckets(options.buckets, clock);
  const schema = `${objectsSchema}; ${uploadSessionsSchema}; ${EVENT_QUEUE_SCHEMA}`;
  const rules = openRules(options.rules, { service: 'firebase.storage', logger });
  const database = openDatabase(join(dataFolder, 'storage.db'), schema, schemaVersion);
  /** For the links in events; nothing happens to objects before somebody can ask for it. */
  let origin = '';
  const triggers = createStorageTriggers(createEventQueue(database), {
    clock,
    originOf: () => origin,
    logger,
  });
  const close = () => {
    triggers.close();
    rules.close();
    database.close();
  };
  try {
    const index = createObjectIndex(database, clock, triggers);
    const sessions = createUploadSessions(database, clock);
    const content = await openContentFolder(dataFolder);
    sessions.removeExpired();
    const removed = await content.sweep(index.contentIds(), sessions.openIds());
    if (removed > 0) logger.info({ removed }, 'removed files that no object refers to');
    const service = createStorageService({ index, content, buckets, sessions });
    const { projectId, readDocument } = options;
    const clientAccess = createClientAccess({ projectId, rules, readDocument, clock, logger });
    const xmlAccess = createXmlAccess(createUrlVerifier(options.serviceAccounts ?? [], clock));
    const firebaseApi = createFirebaseApi(service, clientAccess);
    const { fetch } = createStorageRoutes(
      service,
      { projectId, firebaseApi, xmlAccess, rules, triggers },
      logger,
    );
    const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
    const server = await listen(listener, options, close);
    origin = server.url;
    return {
      ...server,
      configureBucket(name, settings) {
        buckets.configure(name, settings);
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

type RouteParts = {
  projectId: string;
  firebaseApi: Hono;
  xmlAccess: XmlAccess;
  rules: LiveRules;
  triggers: StorageTriggers;
};

function createStorageRoutes(
  service: StorageService,
  { projectId, firebaseApi, xmlAccess, rules, triggers }: RouteParts,
  logger: Logger,
): Hono {
  const app = new Hono();
  app.onError((error, context) => {
    const { method, path } = context.req;
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') {
      logger.debug({ method, path }, 'the client broke off');
      return new Response(null, { status: 499 });
    }
    if (error instanceof LocalFirebaseError) {
      return errorResponse(new StorageRequestError(400, 'invalid', error.message), openCorsHeaders);
    }
    const known = error instanceof StorageRequestError;
    if (!known) logger.error({ method, path, error }, 'Storage failed');
    const answer = known ? error : new StorageRequestError(500, 'internalError', 'Internal error.');
    return errorResponse(answer, openCorsHeaders);
  });
  const anyOrigin: MiddlewareHandler = async (context, next) => {
    if (context.req.method === 'OPTIONS') return openPreflight(context.req.raw.headers);
    await next();
    // Answers with bytes have their own CORS headers, or none, on purpose.
    if (context.req.query('alt') === 'media') return undefined;
    for (const [name, value] of Object.entries(openCorsHeaders)) context.res.headers.set(name, value);
    return undefined;
  };
  for (const path of ['/v0/*', '/upload/*', '/storage/v1/*', '/download/*', '/b/*']) app.use(path, anyOrigin);
  // As the emulator has it, for tests that bring their own rules.
  app.put('/internal/setRules', async (context) => {
    rules.replace(pushedRules(await context.req.text()));
    return context.json({});
  });
  app.put('/emulator/v1/projects/:project/eventSubscriptions', async (context) => {
    const { project } = context.req.param();
    if (project !== projectId)
      throw invalid(`This Storage serves the project "${projectId}", not "${project}".`);
    triggers.subscribe(await context.req.text());
    return context.json({});
  });
  app.route('/v0', firebaseApi);
  app.route('/upload/storage/v1', createJsonUploads(service));
  const jsonApi = createJsonApi(service);
  for (const base of ['/storage/v1', '/download/storage/v1', '/']) app.route(base, jsonApi);
  app.route('/', createPublicAccess(service, xmlAccess));
  return app;
}
