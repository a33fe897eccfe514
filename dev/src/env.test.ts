/** What a person may set for a stack, and what is told before anything starts. */
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsFrom } from './env.ts';
import { shippedModelFolders } from './stack.ts';

test('nothing set means the models of the clone', () => {
  expect(settingsFrom({ FIREPOD_MODEL: '' })).toEqual({ models: shippedModelFolders, env: {} });
});

test('folders and names of the hub stand in one list', () => {
  const folder = join(import.meta.dirname, '..');
  const list = ['hf:acme/tiny-sdxl', folder, 'hf:acme/wan@refs/pr/1'];
  expect(settingsFrom({ FIREPOD_MODEL: list.join(delimiter) }).models).toEqual(list);
});

test('what the worker needs for the hub is handed on', () => {
  const env = { HF_TOKEN: 'secret', HF_ENDPOINT: 'http://127.0.0.1:9', FIREPOD_WEIGHTS_FOLDER: '/weights' };
  expect(settingsFrom({ ...env, PATH: '/bin' }).env).toEqual(env);
});

test.each([
  [{ FIREPOD_MODEL: '/nowhere/sdxl' }, 'FIREPOD_MODEL: /nowhere/sdxl is not there; expected a folder'],
  [{ FIREPOD_MODEL: 'hf:no-owner' }, 'FIREPOD_MODEL: hf:no-owner is not allowed; expected hf:owner/name'],
  [{ HF_ENDPOINT: 'hub.example' }, 'HF_ENDPOINT: hub.example is not allowed; expected an http or https'],
  [{ FIREPOD_LEASE_SECONDS: '1' }, 'FIREPOD_LEASE_SECONDS: 1 is not allowed; expected a whole number'],
])('%j is refused', (env, sentence) => {
  expect(() => settingsFrom(env)).toThrow(sentence);
});
