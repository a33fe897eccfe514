/** What RunPod's Python SDK (1.12) is known to do wrong with results, one test each, against a real local RunPod. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startLocalBench } from '../../testing/local-bench.ts';
import { eventually } from '../../testing/scripted-platform.ts';
import { parseJobError } from '../client/index.ts';
import type { Job } from './index.ts';
import { platformResultLimitBytes } from './result.ts';

describe('late progress', () => {
  test('does not land after the final result (#250)', async () => {
    const { client, work, exchanges } = await startLocalBench();
    const kept: ((update: unknown) => void)[] = [];
    work(async (_, { progress }) => {
      kept.push(progress);
      for (let step = 0; step < 50; step += 1) progress({ step });
      return 'done';
    });
    const job = await client.runSync({});
    kept[0]?.('late');
    await sleep(50);
    expect(job).toMatchObject({ status: 'COMPLETED', output: 'done' });
    expect(await client.status(job.id)).toMatchObject({ status: 'COMPLETED', output: 'done' });
    const posts = exchanges('job-done').map(({ body }) => JSON.parse(body));
    expect(posts.at(-1)).toEqual({ output: 'done' });
    expect(posts.length).toBeLessThanOrEqual(3);
  });

  test('that is slow on its way holds the result back', async () => {
    const { client, work, exchanges } = await startLocalBench({
      faults: { rules: [{ call: 'progress', fault: { kind: 'delay', delayMs: 200 } }] },
    });
    work(async (_, { progress }) => {
      progress('half');
      return 'done';
    });
    expect(await client.runSync({})).toMatchObject({ output: 'done' });
    expect(exchanges('job-done').map(({ reply }) => JSON.parse(reply))).toEqual([
      { ignored: false },
      { ignored: false },
    ]);
  });
});

describe('a result beyond the limit', () => {
  const bytes = async ({ input }: Job<{ sizeBytes: number }>) => 'x'.repeat(input.sizeBytes);

  test('of /run is FAILED with output_too_large, never COMPLETED without output (comfyui #129)', async () => {
    const { client, work } = await startLocalBench();
    work(bytes);
    const { id } = await client.run({ sizeBytes: 10_000_000 });
    const { status, error } = await eventually(async () => {
      const envelope = await client.status(id);
      expect(envelope).toHaveProperty('error');
      return envelope;
    });
    expect({ status, code: parseJobError(error).code }).toEqual({
      status: 'FAILED',
      code: 'output_too_large',
    });
  });

  test('of /run is none for /runsync, which carries twice as much', async () => {
    const { client, work } = await startLocalBench();
    work(bytes);
    const job = await client.runSync({ sizeBytes: 10_000_000 });
    expect(job).toMatchObject({ id: expect.stringMatching(/^sync-/), status: 'COMPLETED' });
    expect([platformResultLimitBytes(job.id), platformResultLimitBytes('a-u1')]).toEqual([
      20_000_000, 10_000_000,
    ]);
  });

  test('is counted to the byte, in UTF-8', async () => {
    const { client, work } = await startLocalBench();
    work(async ({ input }: Job<string>) => input, { maxResultBytes: '{"output":"äää"}'.length + 3 });
    expect(await client.runSync('äää')).toMatchObject({ status: 'COMPLETED' });
    expect(await client.runSync('ääää')).toMatchObject({ status: 'FAILED' });
  });
});

describe('an error that is no short string', () => {
  test.each([
    ['an object', async () => ({ error: { reason: 'cold' } }), '{"reason":"cold"}'],
    ['a list', async () => ({ error: ['cold'] }), '["cold"]'],
    [
      'beside an output beyond the limit',
      async () => ({ error: 'cold', data: 'x'.repeat(10_000_000) }),
      'cold',
    ],
    ['a text beyond the limit', async () => ({ error: 'c'.repeat(10_000_000) }), 'c'.repeat(4_000)],
    [
      'thrown and no JSON',
      async () => {
        const cyclic: Record<string, unknown> = {};
        cyclic['self'] = cyclic;
        throw cyclic;
      },
      'An object was thrown that cannot be written as JSON',
    ],
  ])(
    '(%s) is FAILED with a string and a code, not COMPLETED without output (#299)',
    async (_, handler, text) => {
      const { client, work } = await startLocalBench();
      work(handler);
      const job = await client.runSync({});
      expect(job.status).toBe('FAILED');
      const { code, message } = parseJobError(job.error);
      expect(code).toBe('handler_failed');
      expect(message.startsWith(text)).toBe(true);
    },
  );
});

describe('the network is cut while a result is posted', () => {
  test('and the result arrives all the same, once (#309)', async () => {
    const runs: string[] = [];
    const { client, work } = await startLocalBench({
      faults: {
        rules: [
          { call: 'job-done', nth: 1, fault: { kind: 'cut', when: 'before' } },
          { call: 'job-done', nth: 2, fault: { kind: 'answer', status: 503 } },
          { call: 'job-done', nth: 3, fault: { kind: 'answer', status: 429, retryAfterSeconds: 0 } },
          { call: 'job-done', nth: 4, fault: { kind: 'cut', when: 'middle' } },
        ],
      },
    });
    work(async ({ id }: Job) => {
      runs.push(id);
      return 'kept';
    });
    expect(await client.runSync({})).toMatchObject({ status: 'COMPLETED', output: 'kept' });
    expect(runs).toHaveLength(1);
  });
});

test('X-Request-ID is that of the job whose result is posted, however many run (rp_http.py:58)', async () => {
  const { client, work, exchanges } = await startLocalBench();
  const submitted = await Promise.all(Array.from({ length: 6 }, (_, index) => client.run({ index })));
  work(
    async ({ input }: Job<{ index: number }>, { progress }) => {
      progress(input.index);
      await sleep(10 * (6 - input.index));
      return input.index;
    },
    { concurrencyModifier: () => 6 },
  );
  await eventually(async () => {
    for (const { id } of submitted) expect(await client.status(id)).toMatchObject({ status: 'COMPLETED' });
  });
  const posts = exchanges('job-done');
  expect(posts.length).toBeGreaterThanOrEqual(12);
  for (const { path, headers } of posts) expect(path.split('/').at(-1)).toBe(headers['x-request-id']);
});
