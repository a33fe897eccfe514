/** The limits by themselves on a clock that stands still, and as clients of the local RunPod meet them. */
import { afterEach, expect, test } from 'vitest';
import { createRunpodClient } from '../client/index.ts';
import { createManualClock, type LocalRunpodOptions, startLocalRunpod } from './index.ts';
import { createRateLimiter, RUNPOD_RATE_LIMITS } from './rate-limits.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: Partial<LocalRunpodOptions>, maxAttempts = 1) {
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: 'k', ...options });
  closers.push(() => local.close());
  return createRunpodClient({
    baseUrl: local.baseUrl,
    endpointId: 'ep',
    apiKey: 'k',
    maxAttempts,
    backoff: { baseMs: 1, maxMs: 1 },
  });
}

test('as many calls begin in any ten seconds as are allowed, and refused ones do not count', () => {
  const clock = createManualClock();
  const limiter = createRateLimiter({ run: { perTenSeconds: 3 } }, clock, () => 0);
  limiter.enter('run')();
  clock.advance(9_000);
  limiter.enter('run')();
  limiter.enter('run')();
  for (let call = 0; call < 5; call += 1)
    expect(() => limiter.enter('run')).toThrow('3 times in ten seconds');
  clock.advance(999);
  expect(() => limiter.enter('run')).toThrow('3 times in ten seconds');
  clock.advance(1);
  limiter.enter('run')();
  expect(() => limiter.enter('run')).toThrow('3 times in ten seconds');
  clock.advance(10_000);
  for (let call = 0; call < 3; call += 1) limiter.enter('run')();
});

test('a call counts as open until it has ended, each operation by itself', () => {
  const limiter = createRateLimiter(
    { run: { concurrent: 2 }, status: { concurrent: 1 } },
    createManualClock(),
    () => 0,
  );
  const leave = limiter.enter('run');
  limiter.enter('run');
  limiter.enter('status');
  expect(() => limiter.enter('run')).toThrow('2 calls open at a time');
  leave();
  limiter.enter('run');
  for (let call = 0; call < 5_000; call += 1) limiter.enter('health');
});

test('the documented numbers hold unless they are switched off or replaced', async () => {
  expect(RUNPOD_RATE_LIMITS['run']).toEqual({ perTenSeconds: 1_000, concurrent: 200 });
  const clock = createManualClock();
  const client = await setUp({ clock });
  await client.purgeQueue();
  await client.purgeQueue();
  await expect(client.purgeQueue()).rejects.toMatchObject({
    code: 'rate_limited',
    httpStatus: 429,
    retryable: true,
    message: expect.stringContaining('/purge-queue may be called 2 times in ten seconds'),
  });
  clock.advance(10_000);
  expect(await client.purgeQueue()).toBe(0);
  const unlimited = await setUp({ rateLimits: false });
  for (let call = 0; call < 5; call += 1) expect(await unlimited.purgeQueue()).toBe(0);
});

test('a refused run queues nothing, and a held call makes room when it ends', async () => {
  const client = await setUp({ rateLimits: { run: { perTenSeconds: 1 }, 'status-sync': { concurrent: 1 } } });
  const { id } = await client.run(1);
  await expect(client.run(2)).rejects.toMatchObject({ code: 'rate_limited' });
  expect((await client.health()).jobs.inQueue).toBe(1);
  // Whichever comes second is refused at once, while the first is held until the job ends.
  const calls = [client.statusSync(id), client.statusSync(id)];
  await expect(Promise.race(calls)).rejects.toMatchObject({ code: 'rate_limited' });
  await client.cancel(id);
  const settled = await Promise.allSettled(calls);
  expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await client.statusSync(id)).toMatchObject({ status: 'CANCELLED' });
});
