/** Log lines stay one JSON object each, whatever is logged. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withFields } from '../logger.ts';
import { createPlatformLogger } from './index.ts';
import { MAX_LOG_LINE_CHARACTERS } from './platform-logger.ts';

function capture(level?: 'DEBUG' | 'INFO' | 'NOTSET') {
  const lines: string[] = [];
  return { lines, logger: createPlatformLogger({ level, write: (line) => lines.push(line) }) };
}

test('a line holds requestId, message, level and the fields', () => {
  const { lines, logger } = capture();
  withFields(logger, { requestId: 'job-1' }).warn({ attempt: 2 }, 'Careful.');
  logger.info({}, 'Ready.');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { requestId: 'job-1', message: 'Careful.', level: 'WARN', attempt: 2 },
    { requestId: null, message: 'Ready.', level: 'INFO' },
  ]);
});

test('levels below the threshold are not written, and NOTSET writes none', () => {
  const info = capture('INFO');
  info.logger.debug({}, 'no');
  expect(info.lines).toEqual([]);
  const none = capture('NOTSET');
  none.logger.error({}, 'no');
  expect(none.lines).toEqual([]);
});

test('any message and fields make one line of JSON within the platform limit', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 3_000 }),
      fc.integer({ min: 1, max: 5 }),
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true, maxDepth: 1 })),
      (text, repeat, fields) => {
        const { lines, logger } = capture();
        logger.info(fields, text.repeat(repeat));
        expect(lines).toHaveLength(1);
        const line = lines[0] ?? '';
        expect(line.endsWith('\n')).toBe(true);
        expect(line.length - 1).toBeLessThanOrEqual(MAX_LOG_LINE_CHARACTERS);
        expect(line.slice(0, -1)).not.toContain('\n');
        expect(JSON.parse(line)).toHaveProperty('level');
      },
    ),
    { numRuns: 50 },
  );
});

test('a message too long loses its middle and keeps both ends', () => {
  const { lines, logger } = capture();
  logger.info({ stack: 'x'.repeat(100) }, `begin${'-'.repeat(9_000)}end`);
  const { message } = JSON.parse(lines[0] ?? '');
  expect(message).toMatch(/^begin-+\n\.\.\.TRUNCATED \d+ CHARACTERS\.\.\.\n-+end$/);
});
