import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { parseInterval, startCloudScheduler } from './cloud-scheduler.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('intervals of minutes and hours are read, cron lines are not', () => {
  expect(parseInterval('every 1 minutes')).toBe(60_000);
  expect(parseInterval('every 2 hours')).toBe(7_200_000);
  for (const schedule of ['*/5 * * * *', 'every day 09:00', 'every 0 minutes', ''])
    expect(parseInterval(schedule)).toBeNull();
});

test('a scheduled function is called by POST when its interval has passed, others are not', async () => {
  const called: string[] = [];
  const server = createServer((request, response) => {
    called.push(`${request.method} ${request.url}`);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const warned: object[] = [];
  const scheduler = startCloudScheduler(
    [
      { name: 'sweep', url: `${url}/sweep`, schedule: 'every 1 minutes' },
      { name: 'submit', url: `${url}/submit`, schedule: null },
      { name: 'nightly', url: `${url}/nightly`, schedule: '0 3 * * *' },
    ],
    { warn: (fields) => warned.push(fields) },
  );
  vi.advanceTimersByTime(59_999);
  expect(called).toEqual([]);
  vi.advanceTimersByTime(1);
  await vi.waitFor(() => expect(called).toEqual(['POST /sweep']));
  expect(warned).toEqual([{ name: 'nightly', schedule: '0 3 * * *' }]);
  scheduler.close();
  server.close();
});
