/** Firestore triggers of firebase-functions, started by commits of the local Firestore. */
import {
  onDocumentCreated,
  onDocumentDeleted,
  onDocumentUpdated,
  onDocumentWritten,
} from 'firebase-functions/v2/firestore';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { matchesPathPattern } from '../events/path-pattern.ts';
import { startTemporaryServer, type TemporaryServer } from '../firestore/temporary-server.ts';
import { type RunningFunctionsHost, startFunctionsHost } from './host.ts';

vi.hoisted(() => {
  const quiet = () => {};
  Object.assign(globalThis.console, { debug: quiet, warn: quiet, error: quiet });
});

const SOON = { timeout: 15_000, interval: 10 };
const projectId = 'demo-test';
const documents = `projects/${projectId}/databases/(default)/documents`;

let server: TemporaryServer;
let host: RunningFunctionsHost | undefined;
let heard: string[];
let failures = 0;

const n = (snapshot: { get(field: string): unknown } | undefined) => String(snapshot?.get('n') ?? '-');
const functions = {
  created: onDocumentCreated('users/{uid}/jobs/{job}', (event) => {
    heard.push(`created ${event.params.uid}/${event.params.job} ${n(event.data)}`);
  }),
  group: {
    updated: onDocumentUpdated('users/{uid}/jobs/{job}', (event) => {
      heard.push(`updated ${event.params.job} ${n(event.data?.before)} to ${n(event.data?.after)}`);
    }),
  },
  deleted: onDocumentDeleted('users/u1/jobs/a', (event) => {
    heard.push(`deleted ${event.document} ${n(event.data)}`);
  }),
  written: onDocumentWritten('counted/{path=**}', async (event) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    heard.push(`${event.params.path} ${n(event.data?.after)}`);
  }),
  stubborn: onDocumentCreated({ document: 'stubborn/{id}', retry: true }, () => {
    if (failures++ < 2) throw new Error('not yet');
    heard.push('stubborn');
  }),
  failing: onDocumentCreated('failing/{id}', () => {
    heard.push('failing');
    throw new Error('never');
  }),
};

beforeEach(async () => {
  heard = [];
  failures = 0;
  server = await startTemporaryServer({ projectId });
});
afterEach(async () => {
  await host?.close();
  await server.close();
});

async function startHost(): Promise<void> {
  const eventSources = [`http://${server.host}:${server.port}`];
  host = await startFunctionsHost({ projectId, port: 0, functions, eventSources });
}

async function commit(...writes: object[]): Promise<void> {
  const response = await fetch(`http://${server.host}:${server.port}/v1/${documents}:commit`, {
    method: 'POST',
    headers: { Authorization: 'Bearer owner' },
    body: JSON.stringify({ writes }),
  });
  expect(response.status).toBe(200);
}
const set = (path: string, value: number) => ({
  update: { name: `${documents}/${path}`, fields: { n: { integerValue: value } } },
});

/** Subscribing goes on in the background: writes until the first event shows that it is done. */
async function untilSubscribed(): Promise<void> {
  let attempt = 0;
  await expect
    .poll(async () => {
      await commit(set(`counted/probe${attempt++}`, 0));
      return heard.length > 0;
    }, SOON)
    .toBe(true);
  await expect.poll(() => heard.length, SOON).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  heard.length = 0;
}

describe('Firestore triggers', () => {
  test('start by what happened to a document, with its parameters and what it was and is', async () => {
    await startHost();
    expect(host!.hosted.find(({ name }) => name === 'group-updated')?.kind).toBe('event');
    await untilSubscribed();
    await commit(set('users/u1/jobs/a', 1), set('users/u1/other/a', 1), set('users/u1', 1));
    await expect.poll(() => heard, SOON).toEqual(['created u1/a 1']);
    await commit(set('users/u1/jobs/a', 2));
    // A write that changes nothing is no event.
    await commit(set('users/u1/jobs/a', 2));
    await expect.poll(() => heard.slice(1), SOON).toEqual(['updated a 1 to 2']);
    await commit({ delete: `${documents}/users/u1/jobs/a` });
    await expect.poll(() => heard.slice(2), SOON).toEqual(['deleted users/u1/jobs/a 2']);
  });

  test('come in order for one document, all of them', async () => {
    await startHost();
    await untilSubscribed();
    for (let value = 1; value <= 30; value++)
      await commit(set('counted/a', value), set('counted/b/c/d', value));
    await expect.poll(() => heard.length, SOON).toBe(60);
    for (const path of ['a', 'b/c/d']) {
      const values = heard
        .filter((each) => each.startsWith(`${path} `))
        .map((each) => Number(each.split(' ')[1]));
      expect(values).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    }
  });

  test('wait in the store while the host is away, and while the store itself is', async () => {
    await startHost();
    await untilSubscribed();
    await host!.close();
    await commit(set('users/u1/jobs/a', 1));
    await commit(set('users/u1/jobs/b', 2));
    await server.restart();
    // The pooled connection to the server before must be found broken by somebody who does not mind.
    await fetch(`http://${server.host}:${server.port}/`).catch(() => undefined);
    await commit(set('users/u1/jobs/c', 3));
    expect(heard).toEqual([]);
    await startHost();
    await expect
      .poll(() => [...heard].sort(), SOON)
      .toEqual(['created u1/a 1', 'created u1/b 2', 'created u1/c 3']);
  });

  test('that fail are over, unless the function asks for another try', async () => {
    await startHost();
    await untilSubscribed();
    await commit(set('failing/a', 1), set('stubborn/a', 1));
    await expect.poll(() => heard.includes('stubborn'), SOON).toBe(true);
    expect(heard.filter((each) => each === 'failing')).toHaveLength(1);
  });

  test('are not hosted where nobody delivers events', async () => {
    host = await startFunctionsHost({ projectId, port: 0, functions });
    expect(host.skipped.map(({ name }) => name)).toContain('created');
  });
});

test.each([
  ['users/{id}', 'users/a', true],
  ['users/{id}', 'users/a/b', false],
  ['users/{id}/x', 'users/a/x', true],
  ['users/*/x', 'users/a/y', false],
  ['a/{rest=**}', 'a/b/c/d', true],
  ['a/**/z', 'a/b/c/z', true],
  ['a.b/{id}', 'aXb/c', false],
  ['{all=**}', 'a/b', true],
])('the pattern %s on %s: %s', (pattern, path, expected) => {
  expect(matchesPathPattern(pattern, path)).toBe(expected);
});
