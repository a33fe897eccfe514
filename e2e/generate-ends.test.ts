/** `npm run generate` when it is stopped, or when there is nowhere to put the picture. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { descendantsOf } from './process-tree.ts';
import { runProgram, startProgram, untilGone } from './started-program.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-generate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('Ctrl-C cancels the generation, ends the stack that was started for it and leaves no file', async () => {
  // A note that a killed start has left half-written is no reason to say anything.
  await writeFile(join(folder, 'stack.json'), '{"pid":1,"ho');
  const out = join(folder, 'never.png');
  const temporary = join(folder, 'tmp');

  await mkdir(temporary);
  const words = ['a red apple', '--num-inference-steps', '150', '--out', out, '--data', folder];
  const program = startProgram('node', ['generate', ...words], { TMPDIR: temporary });
  await vi.waitUntil(() => program.output().includes('denoising'), { timeout: 60_000 });
  const pids = [program.pid, ...descendantsOf(program.pid).map(({ pid }) => pid)];
  expect(pids.length).toBeGreaterThanOrEqual(6);
  program.pressCtrlC();
  expect(await program.exited).toBe(130);
  await untilGone(pids);

  expect(program.output()).toMatch(/^(Building…\n)?starting\nqueued\n/);
  expect(program.output()).toMatch(/\ncancelling\n$/);
  expect(program.output()).not.toMatch(/\n\s+at /);
  expect((await readdir(temporary)).filter((name) => name.startsWith('firepod-'))).toEqual([]);
  expect(await readdir(folder)).not.toContain('never.png');
});

test('a place that cannot be written is refused before anything starts', async () => {
  const { code, output } = await runProgram(['generate', 'a cat', '--out', join(folder, 'missing/cat.png')]);
  expect(output).toContain(`--out: the folder ${join(folder, 'missing')} is not there; make it first.\n`);
  expect(code).toBe(1);
});
