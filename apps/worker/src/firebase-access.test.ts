/** What a worker says of a service account that Google refuses: the real SDKs, answered by the local services or as Google does. */
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCollectingLogger } from '../testing/collecting-logger.ts';
import { BUCKET, createServiceAccount, startTestFirebase, type TestFirebase } from '../testing/firebase.ts';
import { connectFirebase, type Firebase } from './firebase.ts';

const account = createServiceAccount();
const { projectId, clientEmail } = account;

describe('access to Firebase', () => {
  let local: TestFirebase;
  const servers: Server[] = [];
  const connections: Firebase[] = [];
  beforeAll(async () => {
    local = await startTestFirebase();
  });
  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
    for (const server of servers.splice(0)) server.close();
  });
  afterAll(() => local.close());

  /** Checks the account against these hosts; without one, the local service is asked. */
  async function check(bucket: string, hosts: { firestore?: string; storage?: string } = {}) {
    process.env['FIRESTORE_EMULATOR_HOST'] = hosts.firestore ?? local.environment['FIRESTORE_EMULATOR_HOST'];
    process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = hosts.storage ?? local.storageHost;
    process.env['STORAGE_EMULATOR_HOST'] = `http://${hosts.storage ?? local.storageHost}`;
    const connection = connectFirebase(account, bucket, randomUUID());
    connections.push(connection);
    const logger = createCollectingLogger();
    await connection.checkAccess(logger);
    return logger.lines;
  }

  async function listen(server: Server): Promise<string> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A Storage with one answer, in the form of the JSON API. */
  function storageAnswering(status: number, body: object): Promise<string> {
    return listen(
      createHttpServer((_, response) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      }),
    );
  }

  /** A Firestore whose every call ends with this gRPC status. */
  function firestoreAnswering(status: number, message: string): Promise<string> {
    const server = createHttp2Server();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': String(status), 'grpc-message': encodeURI(message) });
      });
      stream.end();
    });
    return listen(server);
  }

  const refused = (message: unknown) => ({ code: 'environment_invalid', message });

  it('is there where both services answer', async () => {
    expect(await check(BUCKET)).toEqual([]);
  });

  it('is refused for a bucket that is not there', async () => {
    await expect(check('my-pictures')).rejects.toMatchObject(
      refused('There is no bucket my-pictures: check FIREBASE_STORAGE_BUCKET.'),
    );
  });

  it.each(['other-app.firebasestorage.app', 'other-app.appspot.com'])(
    'names the other project whose bucket it is: %s',
    async (bucket) => {
      await expect(check(bucket)).rejects.toMatchObject(
        refused(
          `There is no bucket ${bucket}: check FIREBASE_STORAGE_BUCKET. By its name it belongs to project other-app, but the key to project ${projectId}.`,
        ),
      );
    },
  );

  it('lists what the account may not do in the bucket', async () => {
    const kind = 'storage#testIamPermissionsResponse';
    const storage = await storageAnswering(200, { kind, permissions: ['storage.objects.get'] });
    const message = `${clientEmail} lacks storage.objects.create, storage.objects.delete on bucket ${BUCKET}: give it the role roles/storage.objectAdmin there.`;
    await expect(check(BUCKET, { storage })).rejects.toMatchObject(refused(message));
  });

  it('lists everything when the bucket is closed to the account', async () => {
    const message = 'Permission denied on resource (or it may not exist).';
    const storage = await storageAnswering(403, {
      error: { code: 403, message, errors: [{ reason: 'forbidden', message }] },
    });
    await expect(check(BUCKET, { storage })).rejects.toMatchObject(
      refused(
        expect.stringContaining('lacks storage.objects.create, storage.objects.get, storage.objects.delete'),
      ),
    );
  });

  it.each([
    [7, 'Missing or insufficient permissions.', 'give it the role roles/datastore.user'],
    [7, 'Cloud Firestore API has not been used in project 1 before or it is disabled.', 'is not turned on'],
    [5, 'The database (default) does not exist for project demo', 'has no Firestore database'],
    [16, 'Request had invalid authentication credentials.', 'Google refuses the key of'],
    [
      2,
      'Getting metadata from plugin failed with error: invalid_grant: Invalid JWT Signature.',
      'Google refuses the key of',
    ],
  ])('says what Firestore refuses, by status %i: %s', async (status, message, expected) => {
    const firestore = await firestoreAnswering(status, message);
    await expect(check(BUCKET, { firestore })).rejects.toMatchObject(
      refused(expect.stringContaining(expected)),
    );
  });

  it('says once that a key is refused, when both services do', async () => {
    const message = 'Request had invalid authentication credentials.';
    const firestore = await firestoreAnswering(16, message);
    const storage = await storageAnswering(401, { error: { code: 401, message, errors: [] } });
    await expect(check(BUCKET, { firestore, storage })).rejects.toMatchObject(
      refused(expect.stringMatching(/^Google refuses the key of worker@\S+: [^.]+\. Make a new key[^.]+\.$/)),
    );
  });

  it('is not judged while a service is down: that is said, and the worker may start', async () => {
    const storage = await storageAnswering(501, {
      error: { code: 501, message: 'Down for now.', errors: [] },
    });
    const lines = await check(BUCKET, { storage });
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        message: expect.stringContaining('Firebase cannot be reached yet'),
      }),
    ]);
  });
});
