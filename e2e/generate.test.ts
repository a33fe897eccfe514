/** `npm run generate`, as a person types it: the picture shows the prompt, and a seed gives the same bytes again. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cloneFolder } from '@firepod/dev';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-generate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function generate(name: string, ...words: string[]): Promise<Buffer> {
  const out = join(folder, name);
  await run(process.execPath, ['scripts/run.mjs', 'generate', ...words, '--out', out], {
    cwd: cloneFolder,
  });
  return readFile(out);
}

/** Mean red, green and blue of a part of the picture; positions and sizes as fractions of it. */
async function meanColour(picture: Buffer, left: number, top: number, size: number): Promise<number[]> {
  const { width = 0, height = 0 } = await sharp(picture).metadata();
  const region = {
    left: Math.round(left * width),
    top: Math.round(top * height),
    width: Math.max(1, Math.round(size * width)),
    height: Math.max(1, Math.round(size * height)),
  };
  const { channels } = await sharp(await sharp(picture).extract(region).toBuffer()).stats();
  return channels.slice(0, 3).map(({ mean }) => mean);
}

test('the picture shows the prompt, the same seed gives the same bytes, another prompt another picture', async () => {
  const prompt = 'a red apple on a blue background';
  const first = await generate('apple.png', prompt, '--seed', '7');
  const again = await generate('again.png', prompt, '--seed', '7');
  const other = await generate('other.png', 'a yellow banana on a pink background', '--seed', '7');

  for (const [left, top] of [
    [0, 0],
    [0.95, 0],
    [0, 0.95],
    [0.95, 0.95],
  ] as const) {
    const [red = 0, green = 0, blue = 0] = await meanColour(first, left, top, 0.05);
    expect(blue, `corner ${left} ${top}`).toBeGreaterThan(Math.max(red, green) + 50);
  }
  const [red = 0, green = 0, blue = 0] = await meanColour(first, 0.4, 0.5, 0.2);
  expect(red).toBeGreaterThan(Math.max(green, blue) + 50);
  expect(again.equals(first)).toBe(true);
  expect(other.equals(first)).toBe(false);
});

test('a field that the function refuses ends it with status 1 and the sentence', async () => {
  await expect(generate('never.png', 'a cat', '--num-images', '9')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/num_images: 9 .*expected a whole number from 1 to 4/),
  });
});
