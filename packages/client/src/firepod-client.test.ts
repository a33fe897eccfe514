import '../test/quiet-console.ts';
import { HttpsError, onCall } from 'firebase-functions/https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ConnectedApp,
  eventually,
  type LocalFirebase,
  startLocalFirebase,
} from '../test/local-firebase.ts';
import { createFirepodClient, type FirepodClient } from './firepod-client.ts';
import { referenceTo } from './generation.ts';

let firebase: LocalFirebase;
let app: ConnectedApp;
let client: FirepodClient;

/** What the functions were sent, and what they answer: each test says. */
const received: { name: string; data: unknown; userId: string | undefined }[] = [];
let answer: (data: unknown) => unknown = () => {
  throw new Error('No answer was set.');
};

function recording(name: string) {
  return onCall(({ data, auth }) => {
    received.push({ name, data, userId: auth?.uid });
    return answer(data);
  });
}

beforeAll(async () => {
  firebase = await startLocalFirebase({
    functions: {
      submitGeneration: recording('submitGeneration'),
      cancelGeneration: recording('cancelGeneration'),
    },
  });
  app = await firebase.connect();
  client = createFirepodClient(app);
});
afterAll(() => firebase.close());

const REFERENCE = {
  file_uid: 'f-1',
  user_id: 'user-1',
  media_type: 'image',
  path: 'generations/user-1/images/f-1',
} as const;

describe('a call that succeeds', () => {
  test('submits the request as the signed-in user and gives its reference', async () => {
    answer = () => REFERENCE;
    expect(await client.submit({ prompt: 'an apple', seed: 7 })).toEqual(REFERENCE);
    expect(received.at(-1)).toEqual({
      name: 'submitGeneration',
      data: { prompt: 'an apple', seed: 7 },
      userId: app.userId,
    });
  });

  test('sends a request id beside the fields of the request', async () => {
    answer = () => REFERENCE;
    await client.submit({ prompt: 'an apple' }, { requestId: 'request-1' });
    expect(received.at(-1)?.data).toEqual({ prompt: 'an apple', request_id: 'request-1' });
  });

  test('cancels by id and media type', async () => {
    answer = () => ({ cancelled: true, status: 'failed' });
    expect(await client.cancel(REFERENCE)).toEqual({ cancelled: true, status: 'failed' });
    expect(received.at(-1)).toMatchObject({
      name: 'cancelGeneration',
      data: { file_uid: 'f-1', media_type: 'image' },
    });
  });

  test('works with nothing but an app, whose services it takes', async () => {
    answer = () => REFERENCE;
    const { app: firebaseApp, userId } = await firebase.connect();
    const ofApp = createFirepodClient({ app: firebaseApp });
    expect(await ofApp.submit({ prompt: 'an apple' })).toEqual(REFERENCE);
    expect(received.at(-1)?.userId).toBe(userId);
    const reference = referenceTo(`generations/${userId}/images/f-2`);
    await firebase.adminFirestore.doc(reference.path).set({ status: 'queued', created_at: new Date() });
    const seen: string[] = [];
    const stopWatching = ofApp.watch(
      reference,
      (generation) => seen.push(`${generation?.status}`),
      () => {},
    );
    const stopListing = ofApp.list(
      {},
      (generations) => seen.push(`${generations.length} listed`),
      () => {},
    );
    await eventually(() => seen.length >= 2);
    stopWatching();
    stopListing();
    expect(seen.sort()).toEqual(['1 listed', 'queued']);
  });
});

describe('a call that is refused', () => {
  test('for its fields carries a problem for each of them, and a message without an HTTP status', async () => {
    const problems = [
      { field: 'width', message: 'width: 7 is not allowed; expected a multiple of 8.' },
      { field: 'seed', message: 'seed: -1 is not allowed; expected a number [0].' },
    ];
    const message = problems.map((problem) => problem.message).join(' ');
    answer = () => {
      throw new HttpsError('invalid-argument', message, problems);
    };
    await expect(client.submit({ prompt: 'an apple' })).rejects.toMatchObject({
      name: 'FirepodError',
      code: 'invalid_argument',
      message,
      problems,
      retryable: false,
    });
  });

  test.each([
    ['unauthenticated', 'unauthenticated', 'signed_out', false],
    ['resource-exhausted', 'quota_exceeded', 'quota_exceeded', true],
    ['not-found', 'not_found', 'not_found', false],
    ['unavailable', 'dispatch_failed', 'dispatch_failed', true],
    ['failed-precondition', 'settings_invalid', 'not_set_up', false],
    ['internal', 'internal', 'internal', true],
  ] as const)(
    'with %s / %s is %s, in the words of the function',
    async (httpsCode, named, code, retryable) => {
      answer = () => {
        throw new HttpsError(httpsCode, 'In the words of the function.', { code: named });
      };
      const refusal = await client.cancel(REFERENCE).catch((error) => error);
      expect(refusal).toMatchObject({
        code,
        message: 'In the words of the function.',
        retryable,
        problems: [],
      });
      expect(refusal.cause.code).toBe(`functions/${httpsCode}`);
    },
  );

  test.each([
    ['unauthenticated', 'signed_out'],
    ['permission-denied', 'permission_denied'],
    ['resource-exhausted', 'quota_exceeded'],
    ['internal', 'unavailable'],
    ['unavailable', 'unavailable'],
  ] as const)('with %s by somebody before our function is %s, in our words', async (httpsCode, code) => {
    answer = () => {
      throw new HttpsError(httpsCode, 'whatever');
    };
    await expect(client.cancel(REFERENCE)).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('whatever'),
    });
  });

  test('because the function is not deployed is not_set_up', async () => {
    const { submit } = createFirepodClient(await firebase.connect({ region: 'europe-west1' }));
    await expect(submit({ prompt: 'an apple' })).rejects.toMatchObject({ code: 'not_set_up' });
  });

  test('because nothing is there is unavailable and worth another try', async () => {
    const { submit } = createFirepodClient(await firebase.connect({ functionsPort: 9 }));
    await expect(submit({ prompt: 'an apple' })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });
});
