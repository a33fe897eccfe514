import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../logger.ts';
import { type LiveRules, openRules } from './live-rules.ts';

const source = (operation: string) =>
  `rules_version = '2'; service cloud.firestore { match /a/{b} { allow ${operation}; } }`;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'live-rules-'));
  file = join(folder, 'test.rules');
});
afterEach(() => rmSync(folder, { recursive: true }));

function mayGet(rules: LiveRules): boolean | undefined {
  const request = { method: 'get', path: ['a', 'b'], request: null, resource: null } as const;
  return rules.current()?.decide({ ...request, document: () => null }).isAllowed;
}

test('a file is read again when it changes; what does not compile leaves the rules as they were', async () => {
  writeFileSync(file, source('list'));
  const errors: unknown[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: Record<string, unknown>) => void errors.push(fields['problems']),
  };
  const rules = openRules({ file }, { service: 'cloud.firestore', logger });
  try {
    expect(mayGet(rules)).toBe(false);
    writeFileSync(file, source('get'));
    await vi.waitUntil(() => mayGet(rules), { timeout: 15_000, interval: 50 });
    writeFileSync(file, `${source('reed')}\n`);
    await vi.waitUntil(() => errors.length > 0, { timeout: 15_000, interval: 50 });
    expect(errors[0]).toMatch(`${file}:1:69: Expected an operation`);
    expect(mayGet(rules)).toBe(true);
  } finally {
    rules.close();
  }
});

test('a file that is not there, or does not compile, opens nothing', () => {
  const open = () => openRules({ file }, { service: 'cloud.firestore', logger: silentLogger });
  expect(open).toThrow(expect.objectContaining({ code: 'data_unreadable' }));
  writeFileSync(file, source('reed'));
  expect(open).toThrow(expect.objectContaining({ code: 'invalid_rules' }));
});

test('without a source there are no rules until some are pushed', () => {
  const rules = openRules(undefined, { service: 'cloud.firestore', logger: silentLogger });
  expect(rules.current()).toBeNull();
  expect(() => rules.replace(source('reed'))).toThrow('rules of cloud.firestore:1:69');
  rules.replace(source('get'));
  expect(mayGet(rules)).toBe(true);
});
