/** Handlers that stream, against a platform that keeps what it is sent. */
import { describe, expect, test } from 'vitest';
import { eventually, gate, jobs, reply, setUp, whenAborted } from '../../testing/scripted-platform.ts';
import { type Job, JobError } from './index.ts';

const job = { id: 'job-1', input: {} };

function errorOf(post: Record<string, unknown> | undefined): Record<string, unknown> {
  return JSON.parse(String(post?.['error']));
}

describe('a streaming handler', () => {
  test('has its chunks posted in order to the stream, and then an empty result that says it was one', async () => {
    const { seen, chunks, posts } = await setUp(jobs(job), async function* () {
      yield 'one';
      yield { two: 2 };
      yield undefined;
    });
    await eventually(() => expect(posts()).toEqual([{ output: [] }]));
    expect(chunks()).toEqual([{ output: 'one' }, { output: { two: 2 } }, { output: null }]);
    const calls = seen.filter(({ call }) => call === 'job-stream' || call === 'job-done');
    expect(calls.map(({ call, query }) => [call, query])).toEqual([
      ...Array(3).fill(['job-stream', '?gpu=local&isStream=false']),
      ['job-done', '?gpu=local&isStream=true'],
    ]);
    expect(calls[0]?.headers).toMatchObject({
      authorization: 'rpa_KEY',
      'content-type': 'application/x-www-form-urlencoded',
      'x-request-id': 'job-1',
    });
  });

  test('with aggregate has all chunks in its result, each as it was when it was yielded', async () => {
    const { chunks, posts } = await setUp(
      jobs(job),
      async function* () {
        const reused = { step: 0 };
        for (; reused.step < 3; reused.step += 1) yield reused;
        yield 'end';
      },
      { aggregate: true },
    );
    const output = [{ step: 0 }, { step: 1 }, { step: 2 }, 'end'];
    await eventually(() => expect(posts()).toEqual([{ output }]));
    expect(chunks()).toEqual(output.map((chunk) => ({ output: chunk })));
  });

  test('is not asked for a chunk before the last one has arrived, which is posted again after a 503', async () => {
    const take = jobs(job);
    const failures = [503, 503];
    const yielded: number[] = [];
    const yieldedAtPost: number[] = [];
    const { chunks, posts } = await setUp(
      (call, response) => {
        if (call !== 'job-stream') return take(call, response);
        yieldedAtPost.push(yielded.length);
        const failure = failures.shift();
        return failure !== undefined && reply(response, failure);
      },
      async function* () {
        for (const chunk of [1, 2]) {
          yielded.push(chunk);
          yield chunk;
        }
      },
    );
    await eventually(() => expect(posts()).toEqual([{ output: [] }]));
    expect(chunks().map(({ output }) => output)).toEqual([1, 1, 1, 2]);
    expect(yieldedAtPost).toEqual([1, 1, 1, 2]);
  });

  test('may yield text beyond 1 MB, which arrives whole in posts within the limit', async () => {
    // Every character is a surrogate pair or is escaped, so that a careless cut or count shows.
    const long = `x${'😀"'.repeat(400_000)}`;
    const { seen, chunks, posts } = await setUp(jobs(job), async function* () {
      yield long;
    });
    await eventually(() => expect(posts()).toEqual([{ output: [] }]));
    expect(chunks().length).toBeGreaterThan(2);
    expect(
      chunks()
        .map(({ output }) => output)
        .join('') === long,
    ).toBe(true);
    for (const { body } of seen.filter(({ call }) => call === 'job-stream')) {
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1_000_000);
      expect(body.includes('\\ud')).toBe(false);
    }
  });

  test.each([
    ['is a larger object than 1 MB', { data: 'x'.repeat(1_000_000) }, 'output_too_large'],
    ['is no JSON', 10n, 'output_not_serializable'],
  ])('whose chunk %s is ended and fails', async (_, chunk, code) => {
    const ended: string[] = [];
    const { chunks, posts } = await setUp(jobs(job), async function* () {
      try {
        yield 'good';
        yield chunk;
        yield 'never';
      } finally {
        ended.push('finally');
      }
    });
    await eventually(() => expect(posts()).toHaveLength(1));
    expect(errorOf(posts()[0])).toMatchObject({ code, retryable: false });
    expect(chunks()).toEqual([{ output: 'good' }]);
    expect(ended).toEqual(['finally']);
  });

  test('that throws, or yields an error, fails with it after the chunks before', async () => {
    const list = [
      { id: 'job-1', input: 'throws' },
      { id: 'job-2', input: 'yields' },
    ];
    const { seen, chunks, posts } = await setUp(jobs(...list), async function* ({ input }: Job) {
      yield input;
      if (input === 'throws') throw new JobError('No room.', { code: 'out_of_memory', retryable: true });
      yield { error: 'no apple', at: 2 };
      yield 'never';
    });
    await eventually(() => expect(posts()).toHaveLength(2));
    expect(chunks()).toEqual([{ output: 'throws' }, { output: 'yields' }]);
    expect(errorOf(posts()[0])).toMatchObject({ code: 'out_of_memory', error_message: 'No room.' });
    expect(errorOf(posts()[1])).toMatchObject({ code: 'handler_failed', error_message: 'no apple' });
    expect(posts()[1]?.['output']).toEqual({ at: 2 });
    const results = seen.filter(({ call }) => call === 'job-done');
    for (const { query } of results) expect(query).toContain('isStream=true');
  });

  test('fails retryably when the platform refuses a chunk for good', async () => {
    const take = jobs(job);
    const { posts, chunks } = await setUp(
      (call, response) => (call === 'job-stream' ? reply(response, 404) : take(call, response)),
      async function* () {
        yield 1;
        yield 2;
      },
    );
    await eventually(() => expect(posts()).toHaveLength(1));
    expect(errorOf(posts()[0])).toMatchObject({ code: 'output_undelivered', retryable: true });
    expect(chunks()).toEqual([{ output: 1 }]);
  });

  test('says which variable is missing when the platform gave no address for streams', async () => {
    const { posts } = await setUp(
      jobs(job),
      async function* () {
        yield 1;
      },
      {},
      { RUNPOD_WEBHOOK_POST_STREAM: undefined },
    );
    await eventually(() => expect(posts()).toHaveLength(1));
    expect(errorOf(posts()[0])).toMatchObject({
      code: 'settings_invalid',
      error_message: expect.stringContaining('RUNPOD_WEBHOOK_POST_STREAM'),
    });
  });
});

describe('ending a stream', () => {
  test('by a stop runs its finally, posts no result, and frees the worker', async () => {
    const take = jobs(job, { id: 'job-2', input: 'second' });
    const chunkArrived = gate();
    const ended = gate();
    const stops = [['job-1']];
    const { chunks, posts } = await setUp(
      (call, response) => {
        if (call === 'job-stream') chunkArrived.open();
        const jobsToStop = call === 'job-stop' ? stops.pop() : undefined;
        if (!jobsToStop) return take(call, response);
        void chunkArrived.passed.then(() => reply(response, 200, { jobsToStop }));
        return true;
      },
      async function* ({ id }: Job, { signal }) {
        try {
          yield id;
          if (id === 'job-2') return;
          await whenAborted(signal);
          yield 'too late';
        } finally {
          ended.open();
        }
      },
    );
    await eventually(() => expect(posts()).toEqual([{ output: [] }]));
    await ended.passed;
    expect(chunks()).toEqual([{ output: 'job-1' }, { output: 'job-2' }]);
  });

  test.each(['yields', 'returns'])(
    "by shutdown's deadline fails it retryably, although it %s then",
    async (how) => {
      const arrived = gate();
      const take = jobs(job);
      const ended: string[] = [];
      const { worker, chunks, posts } = await setUp(
        (call, response) => {
          if (call === 'job-stream') arrived.open();
          return take(call, response);
        },
        async function* (_, { signal }) {
          try {
            yield 'first';
            await whenAborted(signal);
            if (how === 'yields') yield 'too late';
          } finally {
            ended.push('finally');
          }
        },
      );
      await arrived.passed;
      await worker.shutdown({ deadlineMs: 0 });
      expect(ended).toEqual(['finally']);
      expect(chunks()).toEqual([{ output: 'first' }]);
      expect(posts()).toHaveLength(1);
      expect(errorOf(posts()[0])).toMatchObject({ code: 'worker_shutdown', retryable: true });
    },
  );
});
