/** The version that is sent is the version that is shipped. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { SDK_VERSION } from './version.ts';

test("the SDK's version is package.json's", async () => {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  expect(SDK_VERSION).toBe(manifest.version);
});
