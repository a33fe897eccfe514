/** The README's first program, as a stranger would copy it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Programs start slowly on a busy machine. */
const SLOW = { timeout: 60_000 };
let folder: string;
beforeAll(async () => {
  // Inside the repository, so that the package is found by its name.
  const parent = fileURLToPath(new URL('../../../.cache/', import.meta.url));
  await mkdir(parent, { recursive: true });
  folder = await mkdtemp(join(parent, 'readme-'));
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  for (const [, name, code] of readme.matchAll(/```js\n\/\/ (\w+\.mjs)\n([\s\S]*?)```/g)) {
    await writeFile(join(folder, name ?? ''), code ?? '');
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ output: string; status: unknown }> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      NODE_OPTIONS: `--conditions=source --import ${createRequire(import.meta.url).resolve('tsx')}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { output, status };
}

test('ten lines are a worker that the local RunPod runs', SLOW, async () => {
  const worker = await readFile(join(folder, 'worker.mjs'), 'utf8');
  expect(worker.trim().split('\n').length).toBeLessThanOrEqual(10);
  const { output, status } = await run('try.mjs');
  expect(status).toBe(0);
  expect(output).toContain("status: 'COMPLETED'");
  expect(output).toContain("output: { hello: 'world' }");
});

test('the same file runs a test job without a platform', SLOW, async () => {
  const { output, status } = await run('worker.mjs', '--test_input', '{"input": {"name": "test"}}');
  expect(status).toBe(0);
  expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toEqual({ output: { hello: 'test' } });
});
