import { readFileSync } from 'node:fs';
import { declaredParams } from 'firebase-functions/params';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readSettings, SECRETS } from './env.ts';

const REQUIRED = {
  RUNPOD_API_KEY: 'key',
  RUNPOD_ENDPOINT_ID: 'abc123',
  FIREPOD_WEBHOOK_SECRET: 'a secret of sixteen characters',
};

beforeEach(() => {
  vi.stubEnv('FIREBASE_CONFIG', JSON.stringify({ projectId: 'demo-firepod' }));
  for (const { name } of declaredParams) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(REQUIRED)) vi.stubEnv(name, value);
});

afterEach(() => vi.unstubAllEnvs());

test('what is not set gets its default, also where nobody applied the defaults of the parameters', () => {
  expect(readSettings()).toEqual({
    runpod: { apiKey: 'key', endpointId: 'abc123', baseUrl: 'https://api.runpod.ai/v2' },
    dispatch: 'run',
    webhook: {
      url: 'https://us-central1-demo-firepod.cloudfunctions.net/runpodWebhook',
      secret: REQUIRED.FIREPOD_WEBHOOK_SECRET,
    },
    sources: { bucket: null, storageEmulatorHost: undefined },
    modelIds: [],
    attemptsMax: 3,
    leaseSeconds: 30,
  });
});

test('what is set is used', () => {
  vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:8800/v2');
  vi.stubEnv('FIREPOD_DISPATCH', 'runsync');
  vi.stubEnv('FIREPOD_WEBHOOK_URL', 'http://127.0.0.1:5001/demo-firepod/us-central1/runpodWebhook');
  vi.stubEnv('FIREPOD_MODEL', 'tiny-sdxl, tiny-wan');
  vi.stubEnv('FIREPOD_MAX_ATTEMPTS', '5');
  vi.stubEnv('FIREPOD_LEASE_SECONDS', '7');
  const settings = readSettings();
  expect(settings).toMatchObject({
    dispatch: 'runsync',
    modelIds: ['tiny-sdxl', 'tiny-wan'],
    attemptsMax: 5,
    leaseSeconds: 7,
  });
  expect(settings.runpod.baseUrl).toBe('http://127.0.0.1:8800/v2');
  expect(settings.webhook.url).toBe('http://127.0.0.1:5001/demo-firepod/us-central1/runpodWebhook');
});

test('every parameter that is missing or malformed is named at once, and no value is shown', () => {
  vi.stubEnv('RUNPOD_API_KEY', '');
  vi.stubEnv('FIREPOD_WEBHOOK_SECRET', 'short-secret');
  vi.stubEnv('FIREPOD_DISPATCH', 'walk');
  vi.stubEnv('FIREPOD_MAX_ATTEMPTS', '1.5');
  vi.stubEnv('FIREPOD_LEASE_SECONDS', '4');
  expect(() => readSettings()).toThrow(
    expect.objectContaining({
      code: 'settings_invalid',
      message: expect.stringMatching(
        /RUNPOD_API_KEY.*FIREPOD_WEBHOOK_SECRET.*FIREPOD_DISPATCH.*FIREPOD_MAX_ATTEMPTS.*FIREPOD_LEASE_SECONDS/s,
      ),
    }),
  );
  expect(() => readSettings()).not.toThrow(/short-secret/);
});

test('.env.example lists exactly the parameters that are no secrets, with their defaults', () => {
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const entries = [...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  const secrets = new Set(SECRETS.map(({ name }) => name));
  const expected = declaredParams
    .filter(({ name }) => !secrets.has(name))
    .map((parameter) => [
      parameter.name,
      'options' in parameter ? String((parameter.options as { default?: unknown }).default ?? '') : '',
    ]);
  expect(Object.fromEntries(entries)).toEqual(Object.fromEntries(expected));
  // Firebase refuses such keys in a function's .env file.
  expect(entries.filter(([name]) => name?.startsWith('FIREBASE_'))).toEqual([]);
});
