/** The journal by itself, and a local RunPod that goes on with the jobs of the one before it. */
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRunpodClient } from '../client/index.ts';
import { startWorker } from '../worker/index.ts';
import { settingsFrom } from '../worker/settings.ts';
import { startLocalRunpod } from './index.ts';
import { openJobJournal } from './job-journal.ts';

const API_KEY = 'rpa_TESTKEY';
let folder: string;
let journalFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-journal-'));
  journalFile = join(folder, 'jobs.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const job = (id: string) => ({ id, kind: 'run' as const, input: { id }, submittedAtMs: 1 });
const unendedIds = () => {
  const journal = openJobJournal(journalFile);
  journal.close();
  return journal.unended.map(({ id }) => id);
};

test('what was added and not removed is there when it is opened again, in order', async () => {
  const journal = openJobJournal(journalFile);
  expect(journal.unended).toEqual([]);
  for (const id of ['a', 'b', 'c']) journal.add(job(id));
  journal.remove('b');
  journal.close();
  expect(unendedIds()).toEqual(['a', 'c']);
  // Opened once more it holds no line too many.
  expect((await readFile(journalFile, 'utf8')).trim().split('\n')).toHaveLength(2);
});

test('a line that a kill left half-written costs no other job', async () => {
  const journal = openJobJournal(journalFile);
  journal.add(job('a'));
  journal.close();
  await appendFile(journalFile, '{"submitted":{"id":"b","ki');
  expect(unendedIds()).toEqual(['a']);
});

test('a file that cannot be used is refused with its name', () => {
  expect(() => openJobJournal(folder)).toThrow(`journalFile: ${folder} cannot be used`);
});

test('a job that is still queued when RunPod ends is done by the next one under its own id', async () => {
  const start = () => startLocalRunpod({ endpointId: 'local', apiKey: API_KEY, journalFile });
  const clientOf = (baseUrl: string) => createRunpodClient({ baseUrl, endpointId: 'local', apiKey: API_KEY });
  const first = await start();
  const { id } = await clientOf(first.baseUrl).run({ word: 'kept' });
  await first.close();

  const second = await start();
  const worker = startWorker({
    settings: settingsFrom(second.workerEnvironment()),
    handler: async (taken) => ({ echo: (taken.input as { word: string }).word }),
  });
  try {
    await vi.waitFor(
      async () =>
        expect(await clientOf(second.baseUrl).status(id)).toMatchObject({
          status: 'COMPLETED',
          output: { echo: 'kept' },
        }),
      { timeout: 15_000, interval: 30 },
    );
  } finally {
    await worker.shutdown({ deadlineMs: 0 });
    await second.close();
  }
  expect(unendedIds()).toEqual([]);
});

test('a job that was queued again after its failure is there for the next RunPod', async () => {
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: API_KEY, journalFile });
  try {
    const call = (path: string, body?: object) =>
      fetch(`${local.baseUrl}/ep${path}`, {
        method: body ? 'POST' : 'GET',
        headers: { authorization: API_KEY },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const client = createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'ep', apiKey: API_KEY });
    const { id } = await client.run({ word: 'again' }, { policy: { ttl: 60_000, lowPriority: true } });
    await call('/job-take/w1');
    await call(`/job-done/w1/${id}`, { error: 'no luck' });
    await client.retry(id);
    await local.close();
    const journal = openJobJournal(journalFile);
    journal.close();
    expect(journal.unended).toEqual([
      {
        id,
        kind: 'run',
        input: { word: 'again' },
        policy: { executionTimeout: 600_000, ttl: 60_000, lowPriority: true },
        extras: {},
        submittedAtMs: expect.any(Number),
      },
    ]);
  } finally {
    await local.close();
  }
});
