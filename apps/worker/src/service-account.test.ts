import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createServiceAccount, serviceAccountJson } from '../testing/firebase.ts';
import { parseServiceAccount } from './service-account.ts';

describe('a service account key', () => {
  const account = createServiceAccount();
  const json = serviceAccountJson(account);
  const folder = mkdtempSync(join(tmpdir(), 'firepod-account-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['JSON on one line', json],
    ['JSON on several lines', JSON.stringify(JSON.parse(json), null, 2)],
    [
      'JSON whose line breaks are all escaped',
      JSON.stringify(JSON.parse(json), null, 2).replaceAll('\n', '\\n'),
    ],
    ['JSON whose key was escaped twice', json.replaceAll('\\n', '\\\\n')],
    ['JSON with real line breaks in the key', json.replaceAll('\\n', '\n')],
    ['JSON with Windows line breaks in the key', json.replaceAll('\\n', '\r\n')],
    ['base64', Buffer.from(json).toString('base64')],
    ['base64 on several lines', Buffer.from(json).toString('base64').replace(/.{76}/g, '$&\n')],
  ])('is read as %s', (_, text) => {
    expect(parseServiceAccount(text)).toEqual(account);
  });

  it('is read as the path of a file', () => {
    const path = join(folder, 'account.json');
    writeFileSync(path, json);
    expect(parseServiceAccount(path)).toEqual(account);
  });

  it.each([
    '',
    'no-such-file.json',
    '{}',
    '{"project_id":',
    JSON.stringify({ ...JSON.parse(json), private_key: 'x' }),
  ])('is none: %s', (text) => {
    expect(parseServiceAccount(text)).toBeNull();
  });
});
