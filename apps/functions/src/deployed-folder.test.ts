/** The folder that `firebase deploy` uploads: installed apart by its lock, loaded by Firebase's own loader, and called. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FUNCTIONS_REGION } from '@firepod/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, startLocalStack } from '../test/local-stack.ts';

const installTimeoutMs = 300_000;
const script = (name: string) => new URL(`../../../scripts/${name}`, import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'firepod-deployed-'));

beforeAll(async () => {
  const { buildFunctions } = await import(script('build-functions.mjs'));
  const { npmCache } = await import(script('prepare.mjs'));
  await buildFunctions(folder);
  // The manifest names the runtime's Node, which this machine need not have.
  const install = ['ci', '--no-engine-strict', '--prefer-offline', '--no-audit', '--no-fund'];
  run('npm', [...install, '--loglevel=error'], { ...process.env, ...npmCache() });
}, installTimeoutMs);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program in the folder; what it said is in the failure. */
function run(program: string, args: string[], env: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stdout}${stderr}`, { cause: error });
}

test('Firebase’s own loader finds four functions with their triggers and secrets, and every parameter', () => {
  const manifestFile = join(folder, 'manifest.json');
  run(process.execPath, ['node_modules/firebase-functions/lib/bin/firebase-functions.js'], {
    PATH: process.env['PATH'],
    GCLOUD_PROJECT: 'demo-firepod',
    FUNCTIONS_MANIFEST_OUTPUT_PATH: manifestFile,
  });
  const { endpoints, params } = JSON.parse(readFileSync(manifestFile, 'utf8'));
  expect(endpoints).toMatchObject({
    submitGeneration: { callableTrigger: {} },
    cancelGeneration: { callableTrigger: {} },
    runpodWebhook: { httpsTrigger: {} },
    sweepGenerations: { scheduleTrigger: { schedule: 'every 1 minutes' } },
  });
  expect(Object.keys(endpoints)).toHaveLength(4);
  const secret = (key: string) => expect.objectContaining({ key });
  for (const endpoint of Object.values(endpoints)) {
    expect(endpoint).toMatchObject({
      platform: 'gcfv2',
      region: [FUNCTIONS_REGION],
      secretEnvironmentVariables: expect.arrayContaining([
        secret('RUNPOD_API_KEY'),
        secret('FIREPOD_WEBHOOK_SECRET'),
      ]),
    });
  }
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const asked = (params as { name: string; type: string }[]).filter(({ type }) => type !== 'secret');
  expect(asked.map(({ name }) => name).sort()).toEqual(
    [...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name).sort(),
  );
});

test('it serves a submit: the document is queued, RunPod has the job, and the webhook of a failed job sends it again', async () => {
  const stack = await startLocalStack({
    loadFunctions: () => import(pathToFileURL(join(folder, 'index.js')).href),
  });
  try {
    const user = await stack.signIn();
    const { file_uid, path } = await user.call('submitGeneration', { prompt: 'a red apple', seed: 7 });
    const document = () => stack.firestore.doc(String(path)).get();
    expect((await document()).data()).toMatchObject({ status: 'queued', file_uid, user_id: user.userId });

    const job = await stack.worker.take(String(file_uid));
    expect(job.input).toMatchObject({ prompt: 'a red apple', seed: 7, file_uid, use_cloud_storage: true });
    // RunPod calls the webhook, which sends a failed job again.
    await stack.worker.post(job.id, { error: 'CUDA error' });
    expect((await stack.worker.take(String(file_uid))).input).toEqual(job.input);
    await eventually(async () => (await document()).get('job')?.attempt === 2);

    await expect(user.call('submitGeneration', { prompt: '' })).rejects.toMatchObject({
      code: 'functions/invalid-argument',
    });
  } finally {
    await stack.close();
    // Only the packages of the folder know this app: they, and not the clone's, have served the calls.
    const { deleteApp, getApp } = createRequire(join(folder, 'index.js'))('firebase-admin/app');
    await deleteApp(getApp());
  }
});
