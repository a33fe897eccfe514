/** Our security rules against tables of requests; every small change to a rule must break a line of its table. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SOURCE_MAX_BYTES } from '@firepod/contract';
import { createRuleset, parseRules, type RulesFile } from '@firepod/local-firebase/rules';
import { describe, expect, test } from 'vitest';
import { firestoreCases } from '../test/security-rules/firestore-cases.ts';
import { mutantsOf } from '../test/security-rules/mutants.ts';
import { describeCase, isDecidedRight, type RulesCase } from '../test/security-rules/rules-case.ts';
import { storageCases } from '../test/security-rules/storage-cases.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function readRules(name: string): RulesFile {
  const path = fileURLToPath(new URL(`../../firebase/${name}`, import.meta.url));
  const { file } = parseRules(readFileSync(path, 'utf8'));
  if (file === null) throw new Error(`${name} does not parse.`);
  return file;
}

const rulesetOf = (rules: RulesFile) => createRuleset(rules, { file: 'rules', logger: silent });

/** The cases that the rules decide wrongly. */
function wrongCases(rules: RulesFile, cases: readonly RulesCase[]): RulesCase[] {
  const ruleset = rulesetOf(rules);
  return cases.filter((rulesCase) => !isDecidedRight(ruleset, rulesCase));
}

/** Changes that decide every request as before, and why; each must be one that the tables do not notice. */
const equivalents: Record<string, { reason: string; mutants: string[] }[]> = {
  'firestore.rules': [
    {
      reason: 'every path begins with databases/{database}/documents',
      mutants: ['databases → {anyName}', 'documents → {anyName}'],
    },
    {
      reason:
        'the owner reads and deletes its marks by the line above, and a condition on what is written fails for both',
      mutants: ['create → create, get', 'create → create, list', 'create → create, delete'].map(allow),
    },
    {
      reason: 'as above; and what is created has no earlier fields to be compared with, which is an error',
      mutants: [
        'update → update, get',
        'update → update, list',
        'update → update, create',
        'update → update, delete',
      ].map(allow),
    },
  ],
  'storage.rules': [
    { reason: 'every path begins with b/{bucket}/o', mutants: ['b → {anyName}', 'o → {anyName}'] },
    {
      reason: 'the owner reads its folder and deletes its sources by other lines',
      mutants: [
        ...['create, update → create, update, get', 'create, update → create, update, list'],
        ...['create, update → create, update, delete', 'delete → delete, get', 'delete → delete, list'],
      ].map(allow),
    },
  ],
};

function allow(change: string): string {
  return `allow ${change}`;
}

describe.each([
  { name: 'firestore.rules', cases: firestoreCases, atLeast: 240 },
  { name: 'storage.rules', cases: storageCases, atLeast: 70 },
])('$name', ({ name, cases, atLeast }) => {
  const rules = readRules(name);

  test('decides every request of the table as it must', () => {
    expect(wrongCases(rules, cases).map(describeCase)).toEqual([]);
  });

  test('a change anywhere in it breaks the table', () => {
    const mutants = mutantsOf(rules);
    const survivors = mutants.filter((mutant) => {
      const ruleset = rulesetOf(mutant.rules);
      return cases.every((rulesCase) => isDecidedRight(ruleset, rulesCase));
    });
    const argued = equivalents[name]!.flatMap((group) => group.mutants);
    expect(survivors.map(({ description }) => description.replace(/^line \d+: /, '')).sort()).toEqual(
      argued.sort(),
    );
    expect(mutants.length - survivors.length).toBeGreaterThanOrEqual(atLeast);
  });
});

test('an upload may be as large as the contract says', () => {
  const storage = readRules('storage.rules');
  const upload = (size: number) => ({
    ...storageCases.find(({ method, allowed }) => method === 'create' && allowed)!,
    after: { size, contentType: 'image/png' },
  });
  expect(isDecidedRight(rulesetOf(storage), upload(SOURCE_MAX_BYTES))).toBe(true);
  expect(isDecidedRight(rulesetOf(storage), upload(SOURCE_MAX_BYTES + 1))).toBe(false);
});
