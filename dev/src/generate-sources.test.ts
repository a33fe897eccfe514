import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSources } from './generate-sources.ts';

test('files are read with the type of their ending, addresses stay as they are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-sources-'));
  const file = join(folder, 'in.JPG');
  writeFileSync(file, 'bytes');
  const sources = await readSources({ image: file, mask: 'https://example.com/mask.png' });
  expect(sources['mask_url']).toBe('https://example.com/mask.png');
  expect(sources['image_url']).toMatchObject({ type: 'image/jpeg', size: 5 });
  rmSync(folder, { recursive: true });
});

test('a file that is not there and one of another kind are refused by their option', async () => {
  await expect(readSources({ image: '/nowhere/in.png' })).rejects.toThrow(
    '--image: /nowhere/in.png cannot be read (ENOENT).',
  );
  await expect(readSources({ mask: '/etc/passwd' })).rejects.toThrow(
    '--mask: /etc/passwd is no .png, .jpg or .webp file.',
  );
});
