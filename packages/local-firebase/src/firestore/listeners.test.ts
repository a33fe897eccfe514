/** Many listeners over gRPC, and one that does not read: others are not held up, and nothing piles up for it. */
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListenRequest, ListenResponse, Value } from './messages.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import { startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

const SOON = { timeout: 15_000, interval: 5 };

let server: TemporaryServer;
let client: grpc.Client;
let documents: string;

beforeAll(async () => {
  server = await startTemporaryServer();
  documents = `projects/${server.projectId}/databases/(default)/documents`;
  client = new grpc.Client(`${server.host}:${server.port}`, grpc.credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await server.close();
});

const owner = new grpc.Metadata();
owner.set('authorization', 'Bearer owner');

/** Counts what arrives about one document, and keeps its field `n` as last heard. */
function listenTo(path: string) {
  const call = client.makeBidiStreamRequest<ListenRequest, ListenResponse>(
    '/google.firestore.v1.Firestore/Listen',
    (message) => encodeMessage('ListenRequest', message),
    (bytes) => decodeMessage('ListenResponse', bytes) as ListenResponse,
    owner,
  );
  const heard = { call, isCurrent: false, changes: 0, n: undefined as Value | undefined };
  call.on('error', () => {});
  call.on('data', (response: ListenResponse) => {
    if ('targetChange' in response && response.targetChange.targetChangeType === 'CURRENT')
      heard.isCurrent = true;
    if (!('documentChange' in response)) return;
    heard.changes++;
    heard.n = response.documentChange.document.fields?.['n'];
  });
  const name = `${documents}/${path}`;
  call.write({
    database: documents.replace('/documents', ''),
    addTarget: { targetId: 1, documents: { documents: [name] } },
  });
  return heard;
}

async function set(path: string, n: number, padBytes = 0): Promise<void> {
  const fields = { n: { integerValue: String(n) }, pad: { stringValue: 'x'.repeat(padBytes) } };
  const response = await fetch(`http://${server.host}:${server.port}/v1/${documents}/${path}`, {
    method: 'PATCH',
    headers: { Authorization: 'Bearer owner' },
    body: JSON.stringify({ fields }),
  });
  expect(response.status).toBe(200);
}

test('200 listeners on one document all hear of each change', async () => {
  const listeners = Array.from({ length: 200 }, () => listenTo('shared/document'));
  await expect.poll(() => listeners.every(({ isCurrent }) => isCurrent), SOON).toBe(true);
  for (let n = 1; n <= 3; n++) {
    await set('shared/document', n);
    await expect
      .poll(() => listeners.every((each) => JSON.stringify(each.n) === `{"integerValue":"${n}"}`), SOON)
      .toBe(true);
  }
  for (const { call } of listeners) call.cancel();
});

test('a client that stops reading holds up nobody, and hears the newest state when it reads again', async () => {
  const slow = listenTo('busy/document');
  const quick = listenTo('busy/document');
  await expect.poll(() => slow.isCurrent && quick.isCurrent, SOON).toBe(true);
  slow.call.pause();
  const changes = 120;
  for (let n = 1; n <= changes; n++) await set('busy/document', n, 30_000);
  const newest = { integerValue: String(changes) };
  await expect.poll(() => quick.n, SOON).toEqual(newest);
  expect(slow.n).not.toEqual(newest);
  slow.call.resume();
  await expect.poll(() => slow.n, SOON).toEqual(newest);
  // It got what had left before it stopped, and the last: what came between was never kept for it.
  expect(slow.changes).toBeLessThan(changes / 2);
  slow.call.cancel();
  quick.call.cancel();
});
