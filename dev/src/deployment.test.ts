/** The files that `firebase deploy` reads, held against the contract and the repository: rules are not evaluated here. */
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
  SOURCE_MAX_BYTES,
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

/** `[path, operations]` of each allow statement, with the path of the matches around it. */
function grants(rules: string): [string, string][] {
  const open: string[] = [];
  const found: [string, string][] = [];
  const withoutComments = rules.replace(/^\s*\/\/.*$/gm, '');
  const token = /match (?<path>\S+) \{|allow (?<operations>[a-z, ]+):|(?<start>\{)|(?<end>\})/g;
  for (const { groups = {} } of withoutComments.matchAll(token)) {
    if (groups['path'] !== undefined) open.push(groups['path']);
    else if (groups['start'] !== undefined) open.push('');
    else if (groups['end'] !== undefined) open.pop();
    else found.push([open.join(''), groups['operations'] ?? '']);
  }
  return found;
}

describe('the rules', () => {
  test('of Firestore let clients read generations and models and write marks, and name no other collection', () => {
    const documents = '/databases/{database}/documents';
    const generation = `${documents}/${COLLECTIONS.generations}/{userId}`;
    expect(grants(readText('firebase/firestore.rules'))).toEqual([
      [`${generation}/${COLLECTIONS.images}/{fileUid}`, 'read'],
      [`${generation}/${COLLECTIONS.videos}/{fileUid}`, 'read'],
      [`${generation}/${COLLECTIONS.marks}/{fileUid}`, 'read, delete'],
      [`${generation}/${COLLECTIONS.marks}/{fileUid}`, 'create, update'],
      [`${documents}/${COLLECTIONS.models}/{modelId}`, 'read'],
    ]);
  });

  test('of Storage let clients write sources alone, up to the contract’s size', () => {
    const rules = readText('firebase/storage.rules');
    expect(grants(rules)).toEqual([
      ['/b/{bucket}/o/generating/{userId}/{file=**}', 'read'],
      ['/b/{bucket}/o/generating/{userId}/source/{name}', 'create, update'],
      ['/b/{bucket}/o/generating/{userId}/source/{name}', 'delete'],
    ]);
    const [, megabytes] = /request\.resource\.size <= (\d+) \* 1024 \* 1024/.exec(rules) ?? [];
    expect(Number(megabytes) * 1024 * 1024).toBe(SOURCE_MAX_BYTES);
  });

  test('ask of every statement who the caller is', () => {
    for (const path of ['firebase/firestore.rules', 'firebase/storage.rules']) {
      const conditions = [...readText(path).matchAll(/allow [a-z, ]+: if ([^;]+);/g)].map(([, text]) => text);
      expect(conditions).toHaveLength(grants(readText(path)).length);
      for (const condition of conditions)
        expect(condition).toMatch(/^(isOwner\(userId\)|request\.auth != null)/);
    }
  });
});
