import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readWebhookSubject, webhookUrl } from './webhook-token.ts';

const BASE = 'https://us-central1-demo.cloudfunctions.net/runpodWebhook';
const fileUids = fc.stringMatching(/^[A-Za-z0-9-]{1,128}$/);
const attempts = fc.integer({ min: 1, max: 999_999 });

function queryOf(url: string): Record<string, string> {
  return Object.fromEntries(new URL(url).searchParams);
}

test('what was signed is read back', () => {
  fc.assert(
    fc.property(fileUids, attempts, fc.string({ minLength: 1 }), (fileUid, attempt, secret) => {
      const url = webhookUrl(BASE, secret, { fileUid, attempt });
      expect(readWebhookSubject(queryOf(url), secret)).toEqual({ fileUid, attempt });
    }),
  );
});

test('a token is good for its own generation, attempt and secret alone', () => {
  const query = queryOf(webhookUrl(BASE, 'secret', { fileUid: 'a', attempt: 1 }));
  expect(readWebhookSubject({ ...query, file_uid: 'b' }, 'secret')).toBeNull();
  expect(readWebhookSubject({ ...query, attempt: '2' }, 'secret')).toBeNull();
  expect(readWebhookSubject(query, 'another secret')).toBeNull();
  expect(readWebhookSubject({ ...query, token: `${query['token']}00` }, 'secret')).toBeNull();
});

test.each([
  [{}],
  [{ file_uid: 'a', attempt: '1' }],
  [{ file_uid: 'a', attempt: '1', token: '' }],
  [{ file_uid: ['a', 'b'], attempt: '1', token: 'x' }],
  [{ file_uid: 'a', attempt: '01', token: '0'.repeat(64) }],
])('a query without a whole signature is no subject: %j', (query) => {
  expect(readWebhookSubject(query, 'secret')).toBeNull();
});

test('a base address with a query of its own keeps it', () => {
  const url = webhookUrl(`${BASE}?key=1`, 'secret', { fileUid: 'a', attempt: 1 });
  expect(queryOf(url)).toMatchObject({ key: '1', file_uid: 'a' });
});
