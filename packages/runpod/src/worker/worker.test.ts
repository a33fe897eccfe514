/** The worker against a platform that misbehaves on purpose. */
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually, gate, jobs, reply, setUp, whenAborted } from '../../testing/scripted-platform.ts';
import { JobError } from './index.ts';

const job = { id: 'job-1', input: { prompt: 'a red apple' } };

describe('the wire', () => {
  test('has the paths, placeholders, headers and bodies of the platform', async () => {
    const { seen, posts, count } = await setUp(jobs(job), async ({ input }) => input);
    await eventually(() => {
      expect(posts()).toEqual([{ output: { prompt: 'a red apple' } }]);
      expect(count('ping')).toBeGreaterThan(1);
      expect(count('job-take')).toBe(2);
    });
    const first = (wanted: string) => seen.find(({ call }) => call === wanted);
    expect(first('job-take')?.query).toBe('?gpu=local&job_in_progress=0');
    expect(first('job-stop')?.query).toBe('?gpu=local');
    expect(first('job-done')?.query).toBe('?gpu=local&isStream=false');
    expect(first('ping')?.query).toMatch(/^\?gpu=local&runpod_version=firepod-runpod/);
    for (const { headers } of seen) expect(headers['authorization']).toBe('rpa_KEY');
    expect(first('job-take')?.headers['content-type']).toBe('application/json');
    expect(first('job-done')?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      charset: 'utf-8',
      'x-request-id': 'job-1',
      'user-agent': expect.stringMatching(/^firepod-runpod\/0\.1\.0 \(.+\) Language\/Node /),
    });
  });

  test('names the running job in its pings, and no longer when it has ended', async () => {
    const work = gate();
    const { seen } = await setUp(jobs(job), () => work.passed);
    const lastPing = () => seen.findLast(({ call }) => call === 'ping')?.query;
    await eventually(() => expect(lastPing()).toContain('job_id=job-1'));
    work.open();
    await eventually(() => expect(lastPing()).not.toContain('job_id'));
  });
});

describe('results', () => {
  test('are posted again after 503, 429 and a cut connection, and then once more not', async () => {
    const failures: ((response: ServerResponse) => unknown)[] = [
      (response) => reply(response, 503),
      (response) => reply(response, 429),
      (response) => response.destroy(),
    ];
    const take = jobs(job);
    const { posts, count } = await setUp(
      (call, response) => {
        const failure = call === 'job-done' ? failures.shift() : undefined;
        failure?.(response);
        return failure !== undefined || take(call, response);
      },
      async () => 'kept',
    );
    await eventually(() => expect(count('job-take')).toBe(2));
    expect(posts()).toEqual(Array(4).fill({ output: 'kept' }));
  });

  test('are given up when the platform refuses them for good, and the next job is taken', async () => {
    const take = jobs(job);
    const { posts, count } = await setUp(
      (call, response) => (call === 'job-done' ? reply(response, 404) : take(call, response)),
      async () => 'lost',
    );
    await eventually(() => expect(count('job-take')).toBe(2));
    expect(posts()).toHaveLength(1);
  });

  test('that are too large, no JSON, or an error object become failures with a string', async () => {
    const outputs = ['x'.repeat(200), 10n, { error: { a: 1 }, rest: 2 }, undefined];
    const list = outputs.map((_, index) => ({ id: `job-${index}`, input: index }));
    const { posts } = await setUp(jobs(...list), async ({ input }) => outputs[input as number], {
      maxResultBytes: 200,
    });
    await eventually(() => expect(posts()).toHaveLength(4));
    const [large, notJson, errorObject, nothing] = posts();
    expect(JSON.parse(String(large?.['error']))).toMatchObject({
      code: 'output_too_large',
      retryable: false,
    });
    expect(JSON.parse(String(notJson?.['error']))).toMatchObject({ code: 'output_not_serializable' });
    expect(JSON.parse(String(errorObject?.['error']))).toMatchObject({ error_message: '{"a":1}' });
    expect(errorObject?.['output']).toEqual({ rest: 2 });
    expect(nothing).toEqual({ output: null });
  });

  test('of a handler that throws carry its code, or handler_failed, and never a stack', async () => {
    const thrown: unknown[] = [
      new JobError('No room.', { code: 'out_of_memory', retryable: true }),
      new TypeError('oops'),
      7,
    ];
    const list = thrown.map((_, index) => ({ id: `job-${index}`, input: index }));
    const logged: string[] = [];
    const log = (_fields: object, message: string) => logged.push(message);
    const { posts, worker } = await setUp(
      jobs(...list),
      async ({ input }) => {
        throw thrown[input as number];
      },
      { logger: { debug: log, info: log, warn: log, error: log } },
    );
    await eventually(() => expect(posts()).toHaveLength(3));
    await worker.shutdown();
    // A JobError's words are for the caller and may quote the job's input; what nobody foresaw is the log's.
    expect(logged).toEqual(expect.arrayContaining(['The handler failed: oops', 'The handler failed: 7']));
    expect(logged.filter((message) => message.includes('No room.'))).toEqual([]);
    expect(logged.filter((message) => message === 'Failed.')).toHaveLength(3);
    expect(posts().map(({ error }) => JSON.parse(String(error)))).toEqual([
      {
        code: 'out_of_memory',
        error_message: 'No room.',
        error_type: 'JobError',
        retryable: true,
        worker_id: 'worker-1',
      },
      {
        code: 'handler_failed',
        error_message: 'oops',
        error_type: 'TypeError',
        retryable: false,
        worker_id: 'worker-1',
      },
      {
        code: 'handler_failed',
        error_message: '7',
        error_type: 'number',
        retryable: false,
        worker_id: 'worker-1',
      },
    ]);
  });

  test('say what is wrong with a job that has no input', async () => {
    const { posts } = await setUp(jobs({ id: 'job-1' }), async () => 'never');
    await eventually(() => expect(posts()).toHaveLength(1));
    expect(JSON.parse(String(posts()[0]?.['error']))).toMatchObject({ code: 'invalid_job' });
  });
});

describe('progress', () => {
  test('arrives in order, coalesced, flushed before the result, and never after it', async () => {
    const kept: ((update: unknown) => void)[] = [];
    const { posts, count } = await setUp(
      jobs(job),
      async (_, { progress }) => {
        for (let step = 1; step <= 100; step += 1) progress({ step });
        kept.push(progress);
        return 'done';
      },
      { progressIntervalMs: 1 },
    );
    await eventually(() => expect(count('job-take')).toBe(2));
    kept[0]?.({ step: 101 });
    await setTimeout(50);
    expect(posts()).toEqual([
      { status: 'IN_PROGRESS', output: { step: 1 } },
      { status: 'IN_PROGRESS', output: { step: 100 } },
      { output: 'done' },
    ]);
  });

  test('that the platform is slow to take delays the result instead of overtaking it', async () => {
    const take = jobs(job);
    const { posts } = await setUp(
      (call, response) => {
        if (call !== 'job-done') return take(call, response);
        void setTimeout(60).then(() => reply(response, 200, {}));
        return true;
      },
      async (_, { progress }) => {
        progress(1);
        progress(2);
        return 'done';
      },
      { progressIntervalMs: 1 },
    );
    await eventually(() => expect(posts()).toHaveLength(3));
    expect(posts().map(({ output }) => output)).toEqual([1, 2, 'done']);
  });
});

describe('stopping a job', () => {
  test('aborts its signal, posts nothing, and frees the worker', async () => {
    const take = jobs(job, { id: 'job-2', input: 2 });
    const started = gate();
    const stops = [['job-1', 'unknown']];
    const reasons: unknown[] = [];
    const { posts } = await setUp(
      (call, response) => {
        const jobsToStop = call === 'job-stop' ? stops.pop() : undefined;
        if (!jobsToStop) return take(call, response);
        void started.passed.then(() => reply(response, 200, { jobsToStop }));
        return true;
      },
      async ({ id }, { signal }) => {
        if (id === 'job-2') return 'second';
        started.open();
        await whenAborted(signal);
        reasons.push(signal.reason);
        return 'too late';
      },
    );
    await eventually(() => expect(posts()).toEqual([{ output: 'second' }]));
    expect(reasons).toMatchObject([{ code: 'job_stopped' }]);
  });
});

describe('a platform that does not hold its polls', () => {
  test('that cuts a job short is asked again, and the log does not quote the job', async () => {
    const whole = JSON.stringify(job);
    const replies = [whole.slice(0, -3), whole];
    const logged: string[] = [];
    const log = (_fields: object, message: string) => logged.push(message);
    const { posts } = await setUp(
      (call, response) => {
        if (call !== 'job-take' || replies.length === 0) return false;
        response.end(replies.shift());
        return true;
      },
      async () => 'done',
      { logger: { debug: log, info: log, warn: log, error: log } },
    );
    await eventually(() => expect(posts()).toEqual([{ output: 'done' }]));
    expect(logged).toContain(
      `Asking the platform failed (the reply of ${whole.length - 3} characters is not JSON); asking again.`,
    );
    expect(logged.join()).not.toContain('apple');
  });

  test('is left alone for as long as its Retry-After says', async () => {
    const { count } = await setUp(
      (call, response) => {
        if (call !== 'job-take') return false;
        response.writeHead(503, { 'retry-after': '60' }).end();
        return true;
      },
      async () => null,
    );
    // Without the header the second call would come after a quarter of a second.
    await setTimeout(1_000);
    expect(count('job-take')).toBe(1);
  });
});

describe('shutdown', () => {
  test('aborts the poll at once and ends', async () => {
    const { worker, count } = await setUp(
      () => false,
      async () => null,
    );
    await eventually(() => expect(count('job-take')).toBe(1));
    const startedAtMs = performance.now();
    await worker.shutdown();
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    await worker.stopped;
  });

  test('lets the running job finish and takes no other', async () => {
    const started = gate();
    const work = gate<string>();
    const { worker, posts, count } = await setUp(jobs(job, { id: 'job-2', input: 2 }), () => {
      started.open();
      return work.passed;
    });
    await started.passed;
    const ended = worker.shutdown({ deadlineMs: 10_000 });
    work.open('finished');
    await ended;
    expect(posts()).toEqual([{ output: 'finished' }]);
    expect(count('job-take')).toBe(1);
  });

  test('posts a retryable error for a handler that ignores its signal past the deadline', async () => {
    const started = gate();
    const { worker, posts } = await setUp(jobs(job), () => {
      started.open();
      return new Promise(() => {});
    });
    await started.passed;
    await worker.shutdown({ deadlineMs: 50 });
    expect(posts()).toHaveLength(1);
    expect(JSON.parse(String(posts()[0]?.['error']))).toMatchObject({
      code: 'worker_shutdown',
      retryable: true,
    });
  });

  test('still delivers the error of its own that a handler makes of its abort', async () => {
    const started = gate();
    const { worker, posts } = await setUp(jobs(job), async (_, { signal }) => {
      started.open();
      await whenAborted(signal);
      throw new JobError('The lease was given back.', { code: 'worker_lost', retryable: true });
    });
    await started.passed;
    await worker.shutdown({ deadlineMs: 0 });
    expect(JSON.parse(String(posts()[0]?.['error']))).toMatchObject({ code: 'worker_lost' });
  });

  test.each([
    ['runs', 5_000, 'output'],
    ['fails', 0, 'error'],
  ])('%s a job whose reply had begun when it came (deadline %i ms)', async (_, deadlineMs, key) => {
    const began = gate<ServerResponse>();
    const { worker, posts, answerLeftPolls } = await setUp(
      (call, response) => {
        if (call !== 'job-take') return false;
        // The head leaves now, the body only after the shutdown.
        response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
        began.open(response);
        return true;
      },
      async () => 'ran',
    );
    answerLeftPolls();
    const response = await began.passed;
    const ended = worker.shutdown({ deadlineMs });
    response.end(JSON.stringify(job));
    await ended;
    expect(posts()).toHaveLength(1);
    expect(posts()[0]).toHaveProperty(key);
  });
});
