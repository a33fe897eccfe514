import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOrMakeSecrets } from './local-secrets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('secrets are made once, and only their owner may read them', () => {
  const made = readOrMakeSecrets(folder, 'demo-firepod');
  expect(readOrMakeSecrets(folder, 'demo-firepod')).toEqual(made);
  for (const file of [join(folder, 'secrets.json'), made.serviceAccountFile])
    expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a file that is not what was written is refused with the way out', () => {
  for (const text of ['', '{"runpodApiKey":"x"']) {
    writeFileSync(join(folder, 'secrets.json'), text);
    expect(() => readOrMakeSecrets(folder, 'demo-firepod')).toThrow(/secrets\.json .*delete it/);
  }
});
