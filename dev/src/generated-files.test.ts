import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nthFile, refuseUnwritable } from './generated-files.ts';

test('further images are numbered before the ending', () => {
  expect([0, 1, 2].map((index) => nthFile('out/a.b.png', index))).toEqual([
    'out/a.b.png',
    'out/a.b_1.png',
    'out/a.b_2.png',
  ]);
  expect(nthFile('apple', 1)).toBe('apple_1');
});

test('a folder that is not there and a name that is a folder are refused, a new name is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-out-'));
  await expect(refuseUnwritable(join(folder, 'deep/a.png'))).rejects.toThrow(
    `the folder ${folder}/deep is not there`,
  );
  await expect(refuseUnwritable(folder)).rejects.toThrow('is a folder; expected the name of a file');
  await refuseUnwritable(join(folder, 'a.png'));
  rmSync(folder, { recursive: true });
});

// Root may write everywhere, but not there: sysfs refuses new files to everybody.
test.runIf(process.platform === 'linux')(
  'a place that cannot be written is refused with the reason',
  async () => {
    await expect(refuseUnwritable('/sys/a.png')).rejects.toThrow(
      /\/sys\/a\.png cannot be written \(E[A-Z]+\)/,
    );
  },
);
