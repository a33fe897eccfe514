/** The hook for what is too large to be posted, against a real local RunPod. */
import { describe, expect, test } from 'vitest';
import { startLocalBench } from '../../testing/local-bench.ts';
import { parseJobError } from '../client/index.ts';
import { type Job, JobError } from './index.ts';

const bytes = async ({ input }: Job<{ sizeBytes: number }>) => 'x'.repeat(input.sizeBytes);
// The body is {"output":"…"}.
const frameBytes = '{"output":""}'.length;

describe('a result beyond the limit', () => {
  test('goes to offloadResult with its exact size, whose answer is posted in its place', async () => {
    const { client, work } = await startLocalBench();
    const large: unknown[] = [];
    work(bytes, {
      maxResultBytes: 100,
      async offloadResult(job, { output, ...rest }) {
        large.push({ ...rest, length: String(output).length });
        return { url: `https://store.test/${job.id}` };
      },
    });
    const job = await client.runSync({ sizeBytes: 101 });
    expect(job.output).toEqual({ url: `https://store.test/${job.id}` });
    expect(large).toEqual([{ kind: 'result', sizeBytes: 101 + frameBytes, maxBytes: 100, length: 101 }]);
  });

  test('fails retryably when offloadResult throws, and for good when what it returns is too large again', async () => {
    const { client, work } = await startLocalBench();
    work(bytes, {
      maxResultBytes: 100,
      async offloadResult({ input }) {
        if ((input as { sizeBytes: number }).sizeBytes === 200) throw new Error('bucket gone');
        return 'y'.repeat(500);
      },
    });
    const [failed, again] = [
      await client.runSync({ sizeBytes: 200 }),
      await client.runSync({ sizeBytes: 300 }),
    ];
    expect(parseJobError(failed.error)).toMatchObject({ code: 'offload_failed', retryable: true });
    expect(failed.error).toContain('bucket gone');
    expect(parseJobError(again.error)).toMatchObject({ code: 'output_too_large', retryable: false });
  });

  test("fails with the hook's own JobError, and keeps the handler's wish for a new worker", async () => {
    const { client, work } = await startLocalBench();
    const worker = work(async () => ({ refresh_worker: true, text: 'x'.repeat(200) }), {
      maxResultBytes: 100,
      async offloadResult() {
        throw new JobError('Ask for a smaller one.', { code: 'too_big' });
      },
    });
    const job = await client.runSync({});
    expect(parseJobError(job.error)).toMatchObject({ code: 'too_big', message: 'Ask for a smaller one.' });
    await worker.stopped;
  });

  test('of a stream goes to offloadResult chunk by chunk', async () => {
    const { client, work } = await startLocalBench();
    work(
      async function* () {
        yield 'small';
        yield { data: 'x'.repeat(1_000_000) };
      },
      { offloadResult: async (_, { kind, sizeBytes }) => ({ kind, sizeBytes }) },
    );
    const job = await client.run({});
    const chunks: unknown[] = [];
    for await (const chunk of client.stream(job.id)) chunks.push(chunk);
    expect(chunks).toEqual([
      'small',
      { kind: 'chunk', sizeBytes: 1_000_000 + '{"output":{"data":""}}'.length },
    ]);
  });
});
