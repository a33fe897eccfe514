/** A worker that is replaced after a job. */
import { expect, test } from 'vitest';
import { eventually, gate, jobs, reply, setUp, whenAborted } from '../../testing/scripted-platform.ts';

const two = () => jobs({ id: 'job-1', input: 1 }, { id: 'job-2', input: 2 });

test.each([
  ['with other keys', { refresh_worker: true, a: 1 }, { output: { a: 1 }, stopPod: true }],
  ['alone', { refresh_worker: true }, { stopPod: true }],
])(
  'refresh_worker in the result, %s, is taken out, asks for a new worker, and ends this one',
  async (_, output, post) => {
    const { worker, posts, count } = await setUp(two(), async () => output);
    await worker.stopped;
    expect(posts()).toEqual([post]);
    expect(count('job-take')).toBe(1);
  },
);

test('refresh_worker beside an error is heard too', async () => {
  const { worker, posts } = await setUp(two(), async () => ({ error: 'CUDA is lost', refresh_worker: true }));
  await worker.stopped;
  expect(posts()).toEqual([{ error: expect.stringContaining('CUDA is lost'), stopPod: true }]);
});

test('refresh_worker: false is taken out and changes nothing', async () => {
  const { posts, count } = await setUp(two(), async ({ input }) => ({ refresh_worker: false, input }));
  await eventually(() => expect(count('job-take')).toBe(3));
  expect(posts()).toEqual([{ output: { input: 1 } }, { output: { input: 2 } }]);
});

test.each([
  ['a result', async () => 'done', { output: 'done', stopPod: true }],
  [
    'an error',
    async () => {
      throw new Error('oops');
    },
    { error: expect.stringContaining('oops'), stopPod: true },
  ],
])('the setting ends the worker after one job with %s', async (_, handler, post) => {
  const { worker, posts, count } = await setUp(two(), handler, { refreshWorker: true });
  await worker.stopped;
  expect(posts()).toEqual([post]);
  expect(count('job-take')).toBe(1);
});

test('the setting ends the worker after a stream, whose result asks for the new one', async () => {
  const options = { refreshWorker: true, aggregate: true };
  const { worker, posts } = await setUp(
    two(),
    async function* () {
      yield 1;
    },
    options,
  );
  await worker.stopped;
  expect(posts()).toEqual([{ output: [1], stopPod: true }]);
});

test('the setting ends the worker after a job that was stopped, too, though nothing is posted', async () => {
  const take = two();
  const started = gate();
  const stops = [['job-1']];
  const { worker, posts, count } = await setUp(
    (call, response) => {
      const jobsToStop = call === 'job-stop' ? stops.pop() : undefined;
      if (!jobsToStop) return take(call, response);
      void started.passed.then(() => reply(response, 200, { jobsToStop }));
      return true;
    },
    async (_, { signal }) => {
      started.open();
      await whenAborted(signal);
    },
    { refreshWorker: true },
  );
  await worker.stopped;
  expect(posts()).toEqual([]);
  expect(count('job-take')).toBe(1);
});
