/** The files that `firebase deploy` reads, held against the contract and the repository; the rules have tests of their own. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  COLLECTIONS,
  type CompletedGeneration,
  FUNCTIONS_CODEBASE,
  type JobRecord,
  type ProcessingGeneration,
  type RequestRecord,
  type Tombstone,
} from '@firepod/contract';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readText = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const readJson = (path: string) => JSON.parse(readText(path));

/** Large or fast-changing fields that no query reads, and times of expiry; the compiler knows the contract's names. */
const heavyFields = ['progress', 'preview', 'request_data', 'generation_data'] satisfies (
  | keyof ProcessingGeneration<unknown>
  | keyof CompletedGeneration<unknown>
)[];
const jobInput = 'input' satisfies keyof JobRecord<unknown>;
const expiry = 'expire_at' satisfies keyof RequestRecord<unknown> & keyof Tombstone<unknown>;

describe('firebase.json', () => {
  const config = readJson('firebase.json');

  test('names files that exist', () => {
    const { rules, indexes } = config.firestore;
    for (const path of [rules, indexes, config.storage.rules])
      expect(existsSync(`${root}${path}`)).toBe(true);
    // The build makes the folder itself; its source is what a clone has.
    expect(existsSync(`${root}${dirname(config.hosting.public)}/vite.config.ts`)).toBe(true);
  });

  test('deploys the folder that the build of the functions makes, under the contract’s codebase', () => {
    const [functions, ...others] = config.functions;
    expect(others).toEqual([]);
    expect(functions).toMatchObject({
      codebase: FUNCTIONS_CODEBASE,
      source: 'dist/functions',
      runtime: 'nodejs22',
      predeploy: ['npm run build:functions'],
    });
    expect(readJson('package.json').scripts).toHaveProperty('build:functions');
  });

  test('pages are asked for again, and the files that carry a hash in their name are kept for ever', () => {
    const cacheControl = Object.fromEntries(
      config.hosting.headers.map(({ source, headers }: { source: string; headers: { value: string }[] }) => [
        source,
        headers[0]?.value,
      ]),
    );
    expect(cacheControl['!/@(assets)/**']).toBe('no-cache');
    expect(cacheControl['/assets/**']).toBe('public, max-age=31536000, immutable');
    expect(config.hosting.rewrites).toEqual([{ source: '!/@(assets)/**', destination: '/index.html' }]);
  });
});

test('the indexes leave out what no query reads, and let records expire', () => {
  const { indexes, fieldOverrides } = readJson('firebase/firestore.indexes.json');
  expect(indexes).toEqual([]);
  const generations = [COLLECTIONS.images, COLLECTIONS.videos];
  expect(fieldOverrides).toEqual([
    ...generations.flatMap((collectionGroup) =>
      heavyFields.map((fieldPath) => ({ collectionGroup, fieldPath, indexes: [] })),
    ),
    { collectionGroup: COLLECTIONS.jobs, fieldPath: jobInput, indexes: [] },
    ...[COLLECTIONS.requests, COLLECTIONS.deleted].map((collectionGroup) => ({
      collectionGroup,
      fieldPath: expiry,
      ttl: true,
      indexes: [],
    })),
  ]);
});
