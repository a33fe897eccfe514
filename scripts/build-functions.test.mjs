/** The folder of the functions by its files; apps/functions/src/deployed-folder.test.ts installs and runs it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildFunctions } from './build-functions.mjs';
import { root } from './prepare.mjs';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
let folder;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-functions-'));
  await buildFunctions(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the bundle needs nothing but Node and the packages of its manifest, in the versions that are tested here', () => {
  const code = readFileSync(join(folder, 'index.js'), 'utf8');
  const imported = [...code.matchAll(/^(?:import|export) .*?from "([^"]+)"/gm)].map(([, name]) => name);
  const packages = new Set(imported.filter((name) => !name.startsWith('node:')).map((n) => n.split('/')[0]));
  const { dependencies, engines, main } = readJson(join(folder, 'package.json'));
  expect([...packages].sort()).toEqual(Object.keys(dependencies).sort());
  for (const [name, version] of Object.entries(dependencies)) {
    expect(readJson(join(root, 'node_modules', name, 'package.json')).version).toBe(version);
  }
  expect({ engines, main }).toEqual({ engines: { node: '22' }, main: 'index.js' });
});

test('its lock has the versions that are tested here', () => {
  const { '': _, ...locked } = readJson(join(folder, 'package-lock.json')).packages;
  const { packages: ours } = readJson(join(root, 'package-lock.json'));
  expect(Object.keys(locked)).toContain('node_modules/@google-cloud/firestore');
  for (const [path, { version }] of Object.entries(locked)) {
    expect({ path, version }).toEqual({ path, version: ours[path].version });
  }
});
