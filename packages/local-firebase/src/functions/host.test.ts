import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  connectAuthEmulator,
  initializeAuth,
  inMemoryPersistence,
  signInAnonymously,
  signOut,
} from 'firebase/auth';
import { connectFunctionsEmulator, type Functions, getFunctions, httpsCallable } from 'firebase/functions';
import { deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { pubsub, region, https as v1 } from 'firebase-functions/v1';
import { onDocumentCreated } from 'firebase-functions/v2/firestore';
import { HttpsError, onCall, onRequest } from 'firebase-functions/v2/https';
import { onSchedule } from 'firebase-functions/v2/scheduler';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startAuth } from '../auth/server.ts';
import type { RunningServer } from '../http-server.ts';
import { type RunningFunctionsHost, startFunctionsHost } from './host.ts';

// firebase-functions logs every call and every failure, and takes the console's methods when it is imported.
vi.hoisted(() => {
  const quiet = () => {};
  Object.assign(globalThis.console, { debug: quiet, warn: quiet, error: quiet });
});

const projectId = 'demo-functions';
const runs: string[] = [];
const afterResponse = createServer();

/** The exports of an app's functions module. */
const exported = {
  who: onCall((request) => ({ uid: request.auth?.uid ?? null, data: request.data as unknown })),
  whoV1: v1.onCall((data: unknown, context) => ({ uid: context.auth?.uid ?? null, data })),
  refuses: onCall(() => {
    throw new HttpsError('failed-precondition', 'Not today.', { day: 'Sunday' });
  }),
  fails: onCall(() => {
    throw new Error('a secret of the server');
  }),
  counts: onCall(async (_request, response) => {
    for (const number of [1, 2, 3]) await response?.sendChunk(number);
    return 'done';
  }),
  echo: onRequest((request, response) => {
    response.status(201).json({
      path: request.path,
      query: request.query,
      type: typeof request.body,
      raw: request.rawBody?.toString(),
    });
  }),
  throwsLater: onRequest(async (_request, response) => {
    response.send('sent');
    await once(response, 'finish');
    afterResponse.emit('worked');
    throw new Error('too late to matter');
  }),
  inEurope: region('europe-west1').https.onRequest((_request, response) => {
    response.send('ciao');
  }),
  group: { nested: onCall(() => 'from the group') },
  sweep: onSchedule('every 1 minutes', ({ scheduleTime }) => {
    runs.push(`sweep ${scheduleTime}`);
  }),
  sweepV1: pubsub.schedule('0 3 * * *').onRun((context) => {
    runs.push(`sweepV1 ${context.timestamp}`);
  }),
  sweepFails: pubsub.schedule('0 4 * * *').onRun(() => {
    throw new Error('a secret of the sweep');
  }),
  onPicture: onDocumentCreated('pictures/{id}', () => {}),
  notAFunction: 42,
  helper: () => 'not exported for deployment',
};

const folder = mkdtempSync(join(tmpdir(), 'functions-'));
const errors: unknown[] = [];
let auth: RunningServer;
let host: RunningFunctionsHost;
let app: FirebaseApp;
let functions: Functions;

beforeAll(async () => {
  auth = await startAuth({ port: 0, projectId, databaseFile: join(folder, 'auth.db') });
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${auth.host}:${auth.port}`;
  process.env['GCLOUD_PROJECT'] = projectId;
  const adminApp = initializeAdminApp({ projectId });
  host = await startFunctionsHost({
    port: 0,
    projectId,
    functions: exported,
    logger: {
      debug() {},
      info() {},
      warn() {},
      error(fields) {
        errors.push(fields['error']);
      },
    },
  });
  app = initializeApp({ projectId, apiKey: 'k', appId: 'a' }, 'functions-test');
  connectAuthEmulator(initializeAuth(app, { persistence: inMemoryPersistence }), auth.url, {
    disableWarnings: true,
  });
  functions = getFunctions(app);
  connectFunctionsEmulator(functions, host.host, host.port);
  return async () => {
    await Promise.all([deleteApp(app), deleteAdminApp(adminApp), host.close(), auth.close()]);
    rmSync(folder, { recursive: true });
  };
});

afterAll(() => {
  delete process.env['FIREBASE_AUTH_EMULATOR_HOST'];
  delete process.env['GCLOUD_PROJECT'];
});

const call = async (name: string, data?: unknown) => (await httpsCallable(functions, name)(data)).data;
const at = (path: string) => `${host.url}/${projectId}/${path}`;

describe('the functions host', () => {
  test.each(['who', 'whoV1'])('%s knows the signed-in user, and nobody else', async (name) => {
    const { getAuth } = await import('firebase/auth');
    const data = { prompt: 'a red apple', deep: [1, { two: null }] };
    expect(await call(name, data)).toEqual({ uid: null, data });
    const { user } = await signInAnonymously(getAuth(app));
    expect(await call(name, data)).toEqual({ uid: user.uid, data });
    await signOut(getAuth(app));
  });

  test('a token that does not hold is refused', async () => {
    const answer = await fetch(at('us-central1/who'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer no.such.token' },
      body: '{"data":{}}',
    });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ error: { status: 'UNAUTHENTICATED' } });
  });

  test('an HttpsError arrives with its code and details', async () => {
    await expect(call('refuses')).rejects.toMatchObject({
      code: 'functions/failed-precondition',
      details: { day: 'Sunday' },
      message: expect.stringContaining('Not today.') as string,
    });
  });

  test('any other exception is INTERNAL and tells nothing', async () => {
    const answer = await fetch(at('us-central1/fails'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"data":null}',
    });
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe('{"error":{"message":"INTERNAL","status":"INTERNAL"}}');
    await expect(call('fails')).rejects.toMatchObject({ code: 'functions/internal' });
  });

  test('chunks of a streaming callable arrive before its result', async () => {
    const { stream, data } = await httpsCallable(functions, 'counts').stream();
    const chunks: unknown[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks).toEqual([1, 2, 3]);
    expect(await data).toBe('done');
  });

  test('an HTTPS function sees its own path, the query, and the body as it was sent', async () => {
    const answer = await fetch(at('us-central1/echo/deep/er?a=1'), {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{ "a" : 1 }',
    });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({
      path: '/deep/er',
      query: { a: '1' },
      type: 'object',
      raw: '{ "a" : 1 }',
    });
    const bytes = await fetch(at('us-central1/echo'), { method: 'POST', body: new Uint8Array([104, 105]) });
    expect(await bytes.json()).toMatchObject({ path: '/', raw: 'hi' });
  });

  test('a function may work on after its response, and fail there', async () => {
    const worked = once(afterResponse, 'worked');
    expect(await (await fetch(at('us-central1/throwsLater'))).text()).toBe('sent');
    await worked;
    expect(await call('who')).toBeTruthy();
  });

  test('regions and groups have the addresses that they have in the cloud', async () => {
    expect(await (await fetch(at('europe-west1/inEurope'))).text()).toBe('ciao');
    expect((await fetch(at('us-central1/inEurope'))).status).toBe(404);
    expect(await call('group-nested')).toBe('from the group');
  });

  test('scheduled functions of both generations run when POSTed', async () => {
    const schedules = host.hosted.filter(({ kind }) => kind === 'schedule');
    expect(schedules.map(({ name, schedule }) => [name, schedule])).toEqual([
      ['sweep', 'every 1 minutes'],
      ['sweepV1', '0 3 * * *'],
      ['sweepFails', '0 4 * * *'],
    ]);
    for (const { url } of schedules.slice(0, 2)) {
      expect((await fetch(url)).status).toBe(405);
      const headers = { 'x-cloudscheduler-scheduletime': '2026-01-01T00:00:00Z' };
      expect((await fetch(url, { method: 'POST', headers })).status).toBe(200);
    }
    expect(runs).toEqual(['sweep 2026-01-01T00:00:00Z', 'sweepV1 2026-01-01T00:00:00Z']);
  });

  test('a failing schedule is logged, and its caller learns nothing', async () => {
    const answer = await fetch(at('us-central1/sweepFails'), { method: 'POST' });
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ error: { code: 500, status: 'INTERNAL', message: 'INTERNAL' } });
    expect(errors).toEqual([expect.objectContaining({ message: 'a secret of the sweep' })]);
  });

  test('names the functions that wait for events, which it does not host', () => {
    expect(host.skipped).toEqual([
      { name: 'onPicture', reason: expect.stringContaining('firestore') as string },
    ]);
  });

  test('an unknown function is 404 with the names that exist, for a web page too', async () => {
    const answer = await fetch(at('us-central1/nobody'), { headers: { origin: 'http://localhost:5000' } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message).toContain('us-central1-who');
    await expect(call('nobody')).rejects.toMatchObject({ code: 'functions/not-found' });
  });

  test('answers the preflight of a callable', async () => {
    const answer = await fetch(at('us-central1/who'), {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:5000',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5000');
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
  });

  test('a body that is no JSON is the caller’s fault and shows no stack', async () => {
    const answer = await fetch(at('us-central1/who'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"data":',
    });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ error: { status: 'INVALID_ARGUMENT' } });
    expect(text).not.toContain('node_modules');
  });
});
