/** Rules of every kind, well-formed and not: loading refuses with its own error, and deciding always decides. */
import { expect, test } from 'vitest';
import { createRandom, randomSource } from '../../test/random-rules-source.ts';
import { LocalFirebaseError } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import { anySegment } from './match-path.ts';
import { parseRules } from './parser.ts';
import { loadRuleset, type Ruleset, type RulesRequest } from './ruleset.ts';
import type { RulesMap, RulesValue } from './values.ts';

/** `FIREPOD_FUZZ_CASES=100000` for a thorough run. */
const cases = Number(process.env['FIREPOD_FUZZ_CASES'] ?? 12_000);
const seed = 20_260_101;
/** On a busy machine. */
const timeoutMs = 30_000 + cases * 5;

const data: RulesMap = new Map<string, RulesValue>([
  ['name', 'Ann'],
  ['list', ['a', 1n, null]],
  ['at', { kind: 'timestamp', nanos: 1_700_000_000_000_000_000n }],
  ['place', { kind: 'latlng', latitude: 1, longitude: 2 }],
]);
const partial: RulesValue = {
  kind: 'partial_map',
  known: new Map<string, RulesValue>([
    ['name', 'Ann'],
    ['at', { kind: 'unknown', constraints: [{ operator: '>', value: 5n }] }],
    ['list', { kind: 'unknown', constraints: [{ operator: 'contains', value: 'a' }] }],
  ]),
};
const request: RulesMap = new Map<string, RulesValue>([
  [
    'auth',
    new Map<string, RulesValue>([
      ['uid', 'ann'],
      ['token', new Map([['email', 'a@b']])],
    ]),
  ],
  ['time', { kind: 'timestamp', nanos: 0n }],
  ['resource', new Map([['data', data]])],
]);
const resourceOf = (fields: RulesValue): RulesMap => new Map([['data', fields]]);
const requests: RulesRequest[] = (['get', 'list', 'create', 'delete'] as const).map((method) => ({
  method,
  path: ['a', 'b', method === 'list' ? anySegment : 'c'],
  request,
  resource: method === 'list' ? resourceOf(partial) : method === 'create' ? null : resourceOf(data),
  document: (path) => (path.segments.length % 2 === 0 ? resourceOf(data) : null),
}));

function load(source: string): Ruleset | null {
  try {
    return loadRuleset(source, { service: 'cloud.firestore', file: 'fuzz', logger: silentLogger });
  } catch (error) {
    if (!(error instanceof LocalFirebaseError) || error.code !== 'invalid_rules') throw error;
    expect(error.message).toMatch(/^fuzz:\d+:\d+: /);
    return null;
  }
}

test(
  `${cases} sources load or are refused, and those that load decide every request`,
  () => {
    const random = createRandom(seed);
    const counts = { refused: 0, allowed: 0, denied: 0 };
    for (let index = 0; index < cases; index++) {
      const source = randomSource(random);
      try {
        const ruleset = load(source);
        if (ruleset === null) counts.refused++;
        else for (const asked of requests) counts[ruleset.decide(asked).isAllowed ? 'allowed' : 'denied']++;
      } catch (cause) {
        throw new Error(`Case ${index} crashes:\n${source}`, { cause });
      }
    }
    // Enough of each kind that all of it was looked at.
    expect(Math.min(counts.refused, counts.allowed, counts.denied)).toBeGreaterThan(cases / 50);
  },
  timeoutMs,
);

test(
  'bytes and single tokens in any order are refused with places inside of the source',
  () => {
    const random = createRandom(seed);
    const tokens = `rules_version = '2' ; service cloud . firestore { } match / a {b=**} allow read : if function ( ) let return 1 [ ] " ' /* // \\ \n`;
    const pieces = tokens.split(' ');
    for (let index = 0; index < cases / 5; index++) {
      const isBytes = index % 2 === 0;
      const source = Array.from({ length: Math.floor(random() * 40) }, () =>
        isBytes ? String.fromCharCode(random() * 300) : pieces[Math.floor(random() * pieces.length)],
      ).join(isBytes ? '' : ' ');
      const lines = source.split('\n');
      for (const { line, column } of parseRules(source).problems) {
        expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? -1) + 1);
      }
    }
  },
  timeoutMs,
);
