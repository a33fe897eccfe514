import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createServiceAccount, serviceAccountJson } from '../testing/firebase.ts';
import { environmentSchema, readEnvironment } from './env.ts';

const serviceAccount = createServiceAccount();

/** What RunPod sets by itself. */
const runpod = {
  RUNPOD_WEBHOOK_GET_JOB: 'https://api.runpod.ai/v2/ep/job-take/$ID?gpu=x',
  RUNPOD_WEBHOOK_POST_OUTPUT: 'https://api.runpod.ai/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=x',
  RUNPOD_POD_ID: 'pod-1',
};

const good = {
  ...runpod,
  FIREBASE_SERVICE_ACCOUNT_KEY: serviceAccountJson(serviceAccount),
  FIREBASE_STORAGE_BUCKET: 'my-app.firebasestorage.app',
  FIREPOD_MODEL: '/models/tiny-sdxl',
};

describe('the environment', () => {
  it('is read with its defaults', () => {
    expect(readEnvironment(good)).toMatchObject({
      firebase: {
        serviceAccount,
        bucket: 'my-app.firebasestorage.app',
        storageEmulatorHost: undefined,
        mediaAccess: 'public',
      },
      attemptsMax: 3,
      leaseSeconds: 30,
      shutdownGraceSeconds: 5,
      spoolFolder: join(tmpdir(), 'firepod-results'),
      stuckAfterSeconds: 60,
      ffmpegPath: null,
      engine: { engine: 'onnx', model: '/models/tiny-sdxl', executionProvider: 'cpu', threads: null },
      runpod: { workerId: 'pod-1', logLevel: 'INFO' },
    });
  });

  it('names everything that is bad at once, and shows no value of ours', () => {
    const bad = {
      FIREBASE_SERVICE_ACCOUNT_KEY: 'my-secret-key',
      FIREBASE_STORAGE_BUCKET: 'gs://my-secret-bucket',
      FIREBASE_STORAGE_EMULATOR_HOST: 'http://localhost:9199',
      FIREPOD_MODEL: '',
      FIREPOD_FIREBASE: 'sometimes',
      FIREPOD_MEDIA_ACCESS: 'secret',
      FIREPOD_MAX_ATTEMPTS: '0',
      FIREPOD_LEASE_SECONDS: 'long',
      FIREPOD_SHUTDOWN_GRACE_SECONDS: '-1',
      FIREPOD_STUCK_AFTER_SECONDS: '1.5',
      FIREPOD_ENGINE: 'tensorrt',
      FIREPOD_EXECUTION_PROVIDER: 'tpu',
      FIREPOD_ENGINE_THREADS: '1.5',
      FIREPOD_VRAM_GIB: 'much',
      FFMPEG_PATH: '/nowhere/secret-ffmpeg',
    };
    const read = () => readEnvironment(bad);
    expect(read).toThrow(expect.objectContaining({ code: 'environment_invalid' }));
    for (const name of [...Object.keys(bad), ...Object.keys(runpod).slice(0, 2)]) expect(read).toThrow(name);
    expect(read).not.toThrow(/secret-|http:/);
  });

  it.each([
    'gs://my-app.firebasestorage.app',
    'https://storage.googleapis.com/my-app',
    'my-app/generating',
    'My-App',
    '-my-app',
  ])('refuses a bucket that is no bare name: %s', (bucket) => {
    expect(() => readEnvironment({ ...good, FIREBASE_STORAGE_BUCKET: bucket })).toThrow(
      'FIREBASE_STORAGE_BUCKET should be a bucket name without gs:// and without a path',
    );
  });

  it('has no Firebase where it is told so, and then asks for none', () => {
    const { FIREBASE_SERVICE_ACCOUNT_KEY: _, FIREBASE_STORAGE_BUCKET: __, ...without } = good;
    expect(readEnvironment({ ...without, FIREPOD_FIREBASE: 'none' })).toMatchObject({ firebase: null });
    expect(readEnvironment({ ...good, FIREPOD_FIREBASE: 'none' })).toMatchObject({ firebase: null });
    expect(() => readEnvironment(without)).toThrow(/FIREBASE_SERVICE_ACCOUNT_KEY.*FIREBASE_STORAGE_BUCKET/);
  });

  it('names the folders of several models as PATH names its own', () => {
    const FIREPOD_MODEL = ['/models/tiny-sdxl', '/models/tiny-wan'].join(delimiter);
    expect(readEnvironment({ ...good, FIREPOD_MODEL }).engine).toMatchObject({
      model: '/models/tiny-sdxl',
      furtherModels: ['/models/tiny-wan'],
    });
  });

  it('takes models from the hub among folders, and keeps them where weights are kept', () => {
    const FIREPOD_MODEL = ['hf:org/model@v1', '/models/tiny-wan', 'hf:org/other'].join(delimiter);
    const kept = { cacheFolder: '/runpod-volume/firepod-weights' };
    expect(readEnvironment({ ...good, FIREPOD_MODEL }).engine).toMatchObject({
      model: { repository: 'org/model', revision: 'v1', ...kept },
      furtherModels: ['/models/tiny-wan', { repository: 'org/other', ...kept }],
    });
    const hub = { HF_TOKEN: 'hf_t0ken', HF_ENDPOINT: 'http://127.0.0.1:8080/' };
    const FIREPOD_WEIGHTS_FOLDER = './weights';
    expect(
      readEnvironment({ ...good, ...hub, FIREPOD_WEIGHTS_FOLDER, FIREPOD_MODEL: 'hf:org/model' }).engine,
    ).toMatchObject({
      model: {
        repository: 'org/model',
        cacheFolder: resolve('weights'),
        token: 'hf_t0ken',
        endpoint: 'http://127.0.0.1:8080',
      },
    });
  });

  it('shows the name of a model that the hub cannot have', () => {
    const FIREPOD_MODEL = ['hf:model', '/models/tiny-wan', 'hf:org/a model'].join(delimiter);
    const read = () => readEnvironment({ ...good, FIREPOD_MODEL, HF_ENDPOINT: 'file:///etc/secret' });
    expect(read).toThrow(
      'FIREPOD_MODEL should name a model of the hub as hf:owner/name or hf:owner/name@revision, but has hf:model, hf:org/a model; HF_ENDPOINT should be an http or https address',
    );
    expect(read).not.toThrow('secret');
  });

  it('names the models of sd-server by manifests, several by commas', () => {
    const chosen = { ...good, FIREPOD_ENGINE: 'sd-server', FIREPOD_MODEL: 'sdxl-base-1.0, ./wan.json' };
    expect(readEnvironment(chosen).engine).toEqual({
      engine: 'sd-server',
      models: ['sdxl-base-1.0', './wan.json'],
      manifestsFolder: resolve('models/manifests'),
      weightsFolder: '/runpod-volume/firepod-weights',
      program: 'sd-server',
      vramGib: null,
    });
    expect(
      readEnvironment({ ...chosen, FIREPOD_SD_SERVER: './bin/sd-server', FIREPOD_VRAM_GIB: '22.5' }).engine,
    ).toMatchObject({ program: resolve('bin/sd-server'), vramGib: 22.5 });
  });

  it('is explained in .env.example, variable for variable', () => {
    const example = parseEnv(readFileSync(new URL('../.env.example', import.meta.url), 'utf8'));
    // Firebase's SDK reads this one by itself.
    const names = [...Object.keys(environmentSchema.shape), 'FIRESTORE_EMULATOR_HOST'];
    expect(Object.keys(example).sort()).toEqual(names.sort());
    const read = readEnvironment({
      ...example,
      ...runpod,
      FIREBASE_SERVICE_ACCOUNT_KEY: good.FIREBASE_SERVICE_ACCOUNT_KEY,
    });
    expect(read).toEqual(readEnvironment(good));
  });
});
