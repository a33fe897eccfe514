/** docs/deploy.md names scripts, files, variables and error codes: they are there, and none is left out. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { ERROR_CODES } from '@firepod/contract';
import { expect, test } from 'vitest';
import { root } from './prepare.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');
const guide = read('docs/deploy.md');

test('its npm scripts and files exist', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const named = [...guide.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(1);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const paths = guide.matchAll(/(?<![\w/])(?:apps|firebase|\.runpod)\/[\w./-]*\w/g);
  const files = [...paths].map(([file]) => file).filter((file) => !file.endsWith('/.env'));
  expect(files).toContain('apps/worker/Dockerfile');
  for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
});

test('its variables are read by worker or functions', () => {
  const worker = Object.keys(parseEnv(read('apps/worker/.env.example')));
  const functions = Object.keys(parseEnv(read('apps/functions/.env.example')));
  const known = new Set([...worker, ...functions, 'RUNPOD_API_KEY', 'FIREPOD_WEBHOOK_SECRET']);
  const named = [...guide.matchAll(/\b(?:FIREPOD|FIREBASE|RUNPOD)_[A-Z_]+\b/g)].map(([name]) => name);
  // The prefix by which RunPod's own secrets are named.
  for (const name of named.filter((each) => each !== 'RUNPOD_SECRET_')) expect([...known]).toContain(name);
});

test('it says what every error code takes', () => {
  const [header, ...codes] = [...guide.matchAll(/^\| `(\w+)` \| \S/gm)].map(([, code]) => code);
  expect(header).toBe('error_code');
  expect(codes.sort()).toEqual(Object.keys(ERROR_CODES).sort());
});
