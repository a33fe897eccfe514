/** RunPod's Hub files, held against its publishing guide, the worker's environment and the contract's requests. */
import { readFileSync } from 'node:fs';
import { parseJobInput } from '@firepod/contract';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { environmentOf } from '../testing/dockerfile.ts';
import { createServiceAccount, serviceAccountJson } from '../testing/firebase.ts';
import { readDockerfile } from '../testing/image-tree.ts';
import { environmentSchema, readEnvironment } from './env.ts';

const readText = (name: string) => readFileSync(new URL(`../../../.runpod/${name}`, import.meta.url), 'utf8');

const input = z
  .strictObject({
    name: z.string().min(1),
    type: z.enum(['string', 'number', 'boolean', 'huggingface']),
    description: z.string().min(1),
    default: z.union([z.string(), z.number(), z.boolean()]).optional(),
    options: z
      .array(z.strictObject({ label: z.string().min(1), value: z.string() }))
      .min(2)
      .optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    required: z.boolean().optional(),
    advanced: z.boolean().optional(),
  })
  .refine(({ type, options }) => options === undefined || type === 'string', 'only strings have options');
const fixedValue = z.strictObject({ key: z.string().min(1), value: z.string() });
const cudaVersions = z.array(z.string().regex(/^\d+\.\d+$/)).min(1);
const gpuCount = z.int().min(1);

/** https://docs.runpod.io/hub/publishing-guide */
const hubSchema = z.strictObject({
  title: z.string().min(1),
  description: z.string().min(1),
  type: z.literal('serverless'),
  category: z.enum(['audio', 'embedding', 'language', 'video', 'image']),
  config: z.strictObject({
    runsOn: z.literal('GPU'),
    containerDiskInGb: z.int().min(1),
    gpuCount,
    gpuIds: z.string().min(1),
    allowedCudaVersions: cudaVersions,
    env: z.array(z.union([fixedValue, z.strictObject({ key: z.string().min(1), input })])),
  }),
});
const testsSchema = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        input: z.record(z.string(), z.unknown()),
        timeout: z.int().min(1000),
      }),
    )
    .min(1),
  config: z.strictObject({
    gpuTypeId: z.string().min(1),
    gpuCount,
    allowedCudaVersions: cudaVersions,
    env: z.array(fixedValue),
  }),
});

const hub = hubSchema.parse(JSON.parse(readText('hub.json')));
const tests = testsSchema.parse(JSON.parse(readText('tests.json')));
const image = environmentOf(readDockerfile(new URL('../Dockerfile', import.meta.url)).at(-1)!);

/** What RunPod sets by itself. */
const runpod = {
  RUNPOD_WEBHOOK_GET_JOB: 'https://api.runpod.ai/v2/ep/job-take/$ID?gpu=x',
  RUNPOD_WEBHOOK_POST_OUTPUT: 'https://api.runpod.ai/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=x',
};

test('every variable of the listing is read by the worker, and every required one is in the listing or in the image', () => {
  const listed = hub.config.env.map(({ key }) => key);
  const known = Object.entries(environmentSchema.shape);
  expect(known.map(([name]) => name)).toEqual(expect.arrayContaining(listed));
  const required = known.filter(([, schema]) => !schema.safeParse(undefined).success).map(([name]) => name);
  expect(required).toContain('FIREBASE_SERVICE_ACCOUNT_KEY');
  expect([...listed, ...Object.keys(image)]).toEqual(expect.arrayContaining(required));
});

test('what the form offers, the worker takes, and its defaults are the worker’s', () => {
  for (const entry of hub.config.env) {
    if (!('input' in entry)) continue;
    const schema = environmentSchema.shape[entry.key as keyof typeof environmentSchema.shape] as z.ZodType;
    const { default: preset, options = [], min, max } = entry.input;
    for (const { value } of options) expect(schema.safeParse(value).success).toBe(true);
    for (const bound of [min, max])
      if (bound !== undefined) expect(schema.safeParse(String(bound)).success).toBe(true);
    if (min !== undefined) expect(schema.safeParse(String(min - 1)).success).toBe(false);
    if (max !== undefined) expect(schema.safeParse(String(max + 1)).success).toBe(false);
    if (preset === '') continue; // an empty field is an unset variable
    const own = image[entry.key] ?? schema.safeParse(undefined).data;
    expect({ key: entry.key, preset: String(preset) }).toEqual({ key: entry.key, preset: String(own) });
  }
});

test('a form that was filled in starts a worker', () => {
  const form = Object.fromEntries(
    hub.config.env.map((entry) => [
      entry.key,
      'value' in entry ? entry.value : String(entry.input.default ?? ''),
    ]),
  );
  const filledIn = {
    FIREBASE_SERVICE_ACCOUNT_KEY: serviceAccountJson(createServiceAccount()),
    FIREBASE_STORAGE_BUCKET: 'my-app.firebasestorage.app',
  };
  const read = readEnvironment({ ...runpod, ...image, ...form, ...filledIn });
  expect(read).toMatchObject({
    firebase: { bucket: filledIn.FIREBASE_STORAGE_BUCKET },
    engine: { executionProvider: 'cuda' },
  });
});

test('the Hub’s tests start a worker without secrets, and send jobs that come back in the output', () => {
  const variables = Object.fromEntries(tests.config.env.map(({ key, value }) => [key, value]));
  expect(readEnvironment({ ...runpod, ...image, ...variables })).toMatchObject({ firebase: null });
  for (const { input: jobInput } of tests.tests) {
    expect(parseJobInput(jobInput)).toMatchObject({ ok: true, useCloudStorage: false, warnings: [] });
  }
  expect(tests.config.allowedCudaVersions).toEqual(hub.config.allowedCudaVersions);
});

test('the listing allows no CUDA older than the image’s', () => {
  const [, version = ''] =
    /^nvidia\/cuda:(\d+\.\d+)/.exec(readDockerfile(new URL('../Dockerfile', import.meta.url)).at(-1)!.base) ??
    [];
  const number = (text: string) =>
    text
      .split('.')
      .map(Number)
      .reduce((major, minor) => major * 100 + minor);
  for (const allowed of hub.config.allowedCudaVersions)
    expect(number(allowed)).toBeGreaterThanOrEqual(number(version));
  expect(hub.config.allowedCudaVersions[0]).toBe(version);
});

test('what else the Hub asks for is there', () => {
  for (const file of ['../Dockerfile', '../README.md']) expect(readText(file).length).toBeGreaterThan(0);
  expect(readText('handler.py')).toMatch(/^""".+ never runs this file\."""\n/);
});
