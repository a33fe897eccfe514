/** The worker's folder by its files; apps/worker/src/image-tree.test.ts installs it, lays the image out and runs it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWorker } from './build-worker.mjs';
import { root } from './prepare.mjs';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
let folder;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-worker-'));
  await buildWorker(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the two programs need nothing but Node and the packages of the manifest', () => {
  const files = readdirSync(join(folder, 'app'), { recursive: true }).filter((name) => name.endsWith('.js'));
  expect(files).toEqual(expect.arrayContaining(['main.js', join('engines', 'child.js')]));
  const code = files.map((name) => readFileSync(join(folder, 'app', name), 'utf8')).join('\n');
  const imported = [...code.matchAll(/^(?:import|export) .*?from "([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    ([, always, onDemand]) => always ?? onDemand,
  );
  const packageOf = (name) => /^(@[^/]+\/)?[^/]+/.exec(name)[0];
  const packages = new Set(imported.filter((name) => !/^(node:|\.)/.test(name)).map(packageOf));
  const { dependencies, main } = readJson(join(folder, 'package.json'));
  expect([...packages].sort()).toEqual(Object.keys(dependencies).sort());
  expect(files).toContain(main.replace('app/', ''));
});

test('its lock has the versions that are tested here, and no tool of the clone', () => {
  const { packages } = readJson(join(folder, 'package-lock.json'));
  const { packages: ours } = readJson(join(root, 'package-lock.json'));
  const { '': _, ...locked } = packages;
  for (const [path, { version, integrity }] of Object.entries(locked)) {
    expect({ path, version, integrity }).toEqual({
      path,
      version: ours[path].version,
      integrity: ours[path].integrity,
    });
  }
  expect(Object.keys(locked)).toContain('node_modules/@google-cloud/firestore');
  expect(Object.keys(locked)).not.toContain('node_modules/vite');
});
