/** The functions as they are deployed: bundled, installed apart by the lock, and loaded as Firebase loads them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildFunctions } from './build-functions.mjs';
import { npmCache, root } from './prepare.mjs';

const installTimeoutMs = 300_000;
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
let folder;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-functions-'));
  await buildFunctions(folder);
}, installTimeoutMs);
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

test(
  'installed apart with npm ci, Firebase’s own loader finds the four functions, their triggers and secrets',
  () => {
    const install = ['ci', '--no-engine-strict', '--prefer-offline', '--no-audit', '--no-fund'];
    run('npm', [...install, '--loglevel=error'], { ...process.env, ...npmCache() });
    const manifestFile = join(folder, 'manifest.json');
    run(process.execPath, ['node_modules/firebase-functions/lib/bin/firebase-functions.js'], {
      PATH: process.env.PATH,
      GCLOUD_PROJECT: 'demo-firepod',
      FUNCTIONS_MANIFEST_OUTPUT_PATH: manifestFile,
    });

    const { endpoints, params } = readJson(manifestFile);
    expect(endpoints).toMatchObject({
      submitGeneration: { callableTrigger: {} },
      cancelGeneration: { callableTrigger: {} },
      runpodWebhook: { httpsTrigger: {} },
      sweepGenerations: { scheduleTrigger: { schedule: 'every 1 minutes' } },
    });
    expect(Object.keys(endpoints)).toHaveLength(4);
    for (const endpoint of Object.values(endpoints)) {
      expect(endpoint).toMatchObject({ platform: 'gcfv2', region: ['us-central1'] });
      const secrets = endpoint.secretEnvironmentVariables.map(({ key }) => key);
      expect(secrets.sort()).toEqual(['FIREPOD_WEBHOOK_SECRET', 'RUNPOD_API_KEY']);
    }
    const example = readFileSync(join(root, 'apps/functions/.env.example'), 'utf8');
    const asked = params.filter(({ type }) => type !== 'secret').map(({ name }) => name);
    expect(asked.sort()).toEqual([...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name).sort());
  },
  installTimeoutMs,
);

/** Runs a program in the folder; what it said is in the failure. */
function run(program, args, env) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, env, encoding: 'utf8' });
  expect({ status, said: status === 0 ? '' : `${stdout}${stderr}${error ?? ''}` }).toEqual({
    status: 0,
    said: '',
  });
}
