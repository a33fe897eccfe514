import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '../database.ts';
import { silentLogger } from '../logger.ts';
import { accountsSchema, accountsSchemaVersion, createAccountStore } from './accounts.ts';
import { codesSchema, createCodeStore } from './codes.ts';
import { createAuthRoutes } from './routes.ts';
import { createAuthService } from './service.ts';

const folder = mkdtempSync(join(tmpdir(), 'auth-routes-'));
const schema = `${accountsSchema}; ${codesSchema}`;
const database = openDatabase(join(folder, 'auth.db'), schema, accountsSchemaVersion);
const failures: unknown[] = [];
const logger = { ...silentLogger, error: (fields: object) => failures.push(fields) };
const service = createAuthService(createAccountStore(database), createCodeStore(database), {
  projectId: 'demo',
});
const { fetch } = createAuthRoutes(service, logger);

afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const calls = [
  ...['signUp', 'signInWithPassword', 'signInWithCustomToken', 'signInWithEmailLink', 'signInWithIdp'],
  ...['signInWithPhoneNumber', 'sendVerificationCode', 'sendOobCode', 'resetPassword', 'createAuthUri'],
  ...['lookup', 'update', 'delete', 'query', 'batchCreate', 'batchDelete', 'unknown'],
];
const fields = [
  ...['email', 'newEmail', 'password', 'idToken', 'localId', 'oobCode', 'requestType', 'token', 'requestUri'],
  ...[
    'postBody',
    'sessionInfo',
    'code',
    'phoneNumber',
    'temporaryProof',
    'identifier',
    'continueUri',
    'users',
  ],
  ...['hashAlgorithm', 'expression', 'customAttributes', 'deleteAttribute', 'deleteProvider', 'validSince'],
  ...['linkProviderUserInfo', 'localIds', 'sortBy', 'limit', 'offset', 'mfa', 'returnIdpCredential'],
];
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    'a@example.com',
    '+15555550100',
    'PASSWORD_RESET',
    'providerId=google.com&id_token={"sub":"1"}',
  ),
  fc.constantFrom('http://localhost/', 'MD5', 'u1', '{"uid":"u1"}', 'e30.e30.', true, -1, 1e99),
  fc.constantFrom([{ localId: 'u1', providerUserInfo: [{}] }], { rawId: 'r', providerId: 'p' }, ['u1'], [{}]),
);

test('any body of any call is answered or refused, and none is a fault of the server', async () => {
  const body = fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 6 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...calls), body, fc.boolean(), async (call, json, privileged) => {
      const path = privileged ? `v1/projects/demo/accounts:${call}` : `v1/accounts:${call}`;
      const answer = await fetch(
        new Request(`http://127.0.0.1/identitytoolkit.googleapis.com/${path}?key=k`, {
          method: 'POST',
          headers: privileged ? { authorization: 'Bearer owner' } : {},
          body: JSON.stringify(json),
        }),
      );
      expect([200, 400, 501]).toContain(answer.status);
      expect(failures).toEqual([]);
    }),
    { numRuns: 400 },
  );
});
