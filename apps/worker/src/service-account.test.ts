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

  const changed = (fields: object) => JSON.stringify({ ...JSON.parse(json), ...fields });
  const cutKey = account.privateKey.slice(0, 400);

  it.each([
    ['nothing', '', 'no file with this name can be read'],
    ['a path without a file', 'no-such-file.json', 'no file with this name can be read'],
    ['a folder', folder, 'no file with this name can be read'],
    ['JSON that was cut off', json.slice(0, 300), 'begins like JSON, but is none'],
    [
      'base64 that was cut off',
      Buffer.from(json.slice(0, 300)).toString('base64'),
      'begins like JSON, but is none',
    ],
    ['an empty object', '{}', 'project_id is missing, client_email is missing, private_key is missing'],
    ['a web app’s configuration', '{"apiKey":"AIza","projectId":"p"}', 'project_id is missing'],
    ['a key without its address', changed({ client_email: '' }), 'client_email is empty'],
    ['a person’s credentials', changed({ type: 'authorized_user' }), 'its type is not service_account'],
    ['a key that is none', changed({ private_key: 'x' }), 'private_key cannot be read as a private key'],
    [
      'a key that was cut off',
      changed({ private_key: cutKey }),
      'private_key cannot be read as a private key',
    ],
    [
      'a key whose line breaks became blanks',
      changed({ private_key: account.privateKey.replaceAll('\n', ' ') }),
      'private_key cannot be read as a private key',
    ],
  ])('is refused with its fault, and is not shown: %s', (_, text, fault) => {
    const read = () => parseServiceAccount(text);
    expect(read).toThrow(expect.objectContaining({ code: 'environment_invalid' }));
    expect(read).toThrow(fault);
    expect(read).not.toThrow(/PRIVATE KEY-|AIza|iam\.gserviceaccount|authorized_user/);
  });
});
