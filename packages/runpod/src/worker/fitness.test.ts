/** What a worker does before its first take. */
import { expect, test } from 'vitest';
import { eventually, gate, jobs, reply, setUp, whenAborted } from '../../testing/scripted-platform.ts';
import type { FitnessCheck } from './index.ts';

const job = { id: 'job-1', input: 1 };
const handler = async () => 'done';

test('checks run one after the other, and only then a ping is sent and a job taken', async () => {
  const order: string[] = [];
  const release = gate();
  const started = gate();
  const fitnessChecks: FitnessCheck[] = [
    {
      name: 'model',
      async run() {
        started.open();
        await release.passed;
        order.push('model');
      },
    },
    { name: 'gpu', run: async () => void order.push('gpu') },
  ];
  const { seen, posts } = await setUp(
    jobs(job),
    async () => {
      order.push('handler');
      return 'done';
    },
    { fitnessChecks },
  );
  await started.passed;
  expect(seen).toEqual([]);
  release.open();
  await eventually(() => expect(posts()).toEqual([{ output: 'done' }]));
  expect(order).toEqual(['model', 'gpu', 'handler']);
});

test('a failed check ends the worker with its name, after an unhealthy ping and without a take', async () => {
  const cause = new Error(`no CUDA & no luck ${'x'.repeat(300)}`);
  const ran: string[] = [];
  const fitnessChecks: FitnessCheck[] = [
    { name: 'disk', run: async () => void ran.push('disk') },
    {
      name: 'gpu',
      async run() {
        throw cause;
      },
    },
    { name: 'never', run: async () => void ran.push('never') },
  ];
  const { worker, seen } = await setUp(jobs(job), handler, { fitnessChecks });
  await expect(worker.stopped).rejects.toMatchObject({
    code: 'worker_unhealthy',
    message: expect.stringContaining('"gpu" failed: no CUDA & no luck'),
    cause,
  });
  expect(ran).toEqual(['disk']);
  expect(seen.map(({ call }) => call)).toEqual(['ping']);
  const query = new URLSearchParams(seen[0]?.query);
  expect(query.get('status')).toBe('unhealthy');
  expect(query.get('check')).toBe('gpu');
  expect(query.get('reason')).toBe(cause.message.slice(0, 256));
  expect(query.get('runpod_version')).toMatch(/^firepod-runpod/);
  expect(seen[0]?.headers['authorization']).toBe('rpa_KEY');
});

test('a check that does not end has failed after its time, and is told so', async () => {
  const told = gate();
  const fitnessChecks: FitnessCheck[] = [
    {
      name: 'model',
      timeoutMs: 20,
      async run({ signal }) {
        await whenAborted(signal);
        told.open();
        await new Promise(() => {});
      },
    },
  ];
  const { worker, seen } = await setUp(jobs(job), handler, { fitnessChecks });
  await expect(worker.stopped).rejects.toMatchObject({
    code: 'worker_unhealthy',
    message: expect.stringContaining('within 20 ms'),
  });
  await told.passed;
  expect(seen.map(({ call }) => call)).toEqual(['ping']);
});

test('a platform that refuses the unhealthy ping does not hide the failure', async () => {
  const warnings: string[] = [];
  const log = () => {};
  const { worker } = await setUp((_, response) => reply(response, 500), handler, {
    logger: { debug: log, info: log, error: log, warn: (_fields, message) => warnings.push(message) },
    fitnessChecks: [{ name: 'gpu', run: () => Promise.reject(new Error('lost')) }],
  });
  await expect(worker.stopped).rejects.toMatchObject({ code: 'worker_unhealthy' });
  expect(warnings).toEqual([
    'The platform could not be told of the failed check: the platform answered 500.',
  ]);
});

test('a shutdown during the checks ends the worker without a complaint', async () => {
  const started = gate();
  const { worker, seen } = await setUp(jobs(job), handler, {
    fitnessChecks: [
      {
        name: 'model',
        async run({ signal }) {
          started.open();
          await whenAborted(signal);
          throw signal.reason;
        },
      },
    ],
  });
  await started.passed;
  await worker.shutdown();
  expect(seen).toEqual([]);
});
