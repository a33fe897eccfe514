/** A handler tried from the command line, without a platform. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobError, runTestInput } from './index.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'firepod-test-input-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** The options, and the lines written, parsed. */
function tryOut(args: string[], env: Record<string, string> = {}) {
  const lines: Record<string, unknown>[] = [];
  const file = join(directory, 'test_input.json');
  const write = (line: string) => {
    expect(line.endsWith('\n')).toBe(true);
    lines.push(JSON.parse(line));
  };
  return { lines, options: { args, env, write, file } };
}

test.each([
  ['two arguments', ['--other', '--test_input', '{"input":{"a":-1}}']],
  ['one argument', ['--rp_log_level', 'INFO', '--test_input={"input":{"a":-1}}']],
])('--test_input in %s is run, also where a platform is, and its result written', async (_, args) => {
  const { lines, options } = tryOut(args, { RUNPOD_WEBHOOK_GET_JOB: 'https://platform.test' });
  const status = await runTestInput(async ({ id, input }, { progress }) => {
    progress({ percent: 50 });
    return { id, input };
  }, options);
  expect(status).toBe(0);
  expect(lines).toEqual([
    { status: 'IN_PROGRESS', output: { percent: 50 } },
    { output: { id: 'local_test', input: { a: -1 } } },
  ]);
});

test('on the platform, without the argument, there is nothing to test', async () => {
  const { lines, options } = tryOut(['--other'], { RUNPOD_WEBHOOK_GET_JOB: 'https://platform.test' });
  expect(await runTestInput(async () => 'never', options)).toBeUndefined();
  expect(lines).toEqual([]);
});

test('away from it test_input.json is run, and its absence is an error that names it', async () => {
  const { lines, options } = tryOut([]);
  expect(await runTestInput(async () => 'never', options)).toBe(1);
  expect(JSON.parse(String(lines[0]?.['error']))).toMatchObject({
    code: 'invalid_job',
    error_message: expect.stringContaining('test_input.json cannot be read: ENOENT'),
  });
  await writeFile(options.file, JSON.stringify({ id: 'mine', input: 1, webhook: 'https://x.test' }));
  expect(await runTestInput(async (job) => job, options)).toBe(0);
  expect(lines[1]).toEqual({ output: { id: 'mine', input: 1, webhook: 'https://x.test' } });
});

test.each(['', '{', '7', 'null', '{"prompt":"x"}'])('the job %j is refused', async (text) => {
  const { lines, options } = tryOut(['--test_input', text]);
  expect(await runTestInput(async () => 'never', options)).toBe(1);
  expect(JSON.parse(String(lines[0]?.['error']))).toMatchObject({ code: 'invalid_job' });
});

test('a handler that fails gives status 1, its error as posted, and its stack to the log alone', async () => {
  const logged: unknown[] = [];
  const log = () => {};
  const logger = { debug: log, info: log, warn: log, error: (fields: object) => logged.push(fields) };
  const { lines, options } = tryOut(['--test_input', '{"input":1}'], { RUNPOD_POD_ID: 'pod-1' });
  const fail = (thrown: Error) => runTestInput(() => Promise.reject(thrown), { ...options, logger });
  expect(await fail(new JobError('No room.', { code: 'out_of_memory' }))).toBe(1);
  expect(logged).toEqual([]);
  expect(await fail(new TypeError('oops'))).toBe(1);
  expect(logged).toEqual([{ stack: expect.stringContaining('TypeError: oops') }]);
  expect(lines.map(({ error }) => JSON.parse(String(error)))).toMatchObject([
    { code: 'out_of_memory', worker_id: 'pod-1' },
    { code: 'handler_failed', error_message: 'oops' },
  ]);
});

test('a streaming handler has its chunks written as they come, and then the result', async () => {
  const { lines, options } = tryOut(['--test_input', '{"input":2}']);
  async function* count({ input }: { input: number }) {
    for (let number = 1; number <= input; number += 1) yield number;
  }
  expect(await runTestInput(count, { ...options, aggregate: true })).toBe(0);
  expect(lines).toEqual([{ output: 1 }, { output: 2 }, { output: [1, 2] }]);
});
