import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { T5_TOKENIZER_FOLDERS, wanGolden } from '../../fixtures/wan-golden.ts';
import { createT5Tokenizer, type T5Tokenizer } from './t5-tokenizer.ts';
import { readT5TokenizerFolder } from './t5-tokenizer-files.ts';

const LENGTH = 24;
const FORMS = Object.keys(T5_TOKENIZER_FOLDERS) as (keyof typeof T5_TOKENIZER_FOLDERS)[];

describe.each(FORMS)('a tokenizer.json of the form %s', (form) => {
  let tokenizer: T5Tokenizer;
  beforeAll(async () => {
    tokenizer = createT5Tokenizer(await readT5TokenizerFolder(T5_TOKENIZER_FOLDERS[form], 512));
  });

  it.each(wanGolden.tokens.map((entry) => ({ text: entry.text, expected: entry[form] })))(
    'gives the ids of transformers for $text',
    ({ text, expected }) => {
      const { ids, length } = tokenizer.encode(text);
      expect(ids).toEqual(expected);
      expect(length).toBe(expected.lastIndexOf(1) + 1);
    },
  );

  it('says how many ids did not fit', () => {
    expect(tokenizer.encode('red '.repeat(30)).truncated).toBe(30 - (LENGTH - 1));
    expect(tokenizer.encode('red').truncated).toBe(0);
  });

  it('gives full-length lists of known ids that end with </s>, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
        const { ids, length } = tokenizer.encode(text);
        expect(ids).toHaveLength(LENGTH);
        expect(ids[length - 1]).toBe(1);
        expect(ids.slice(length).every((id) => id === 0)).toBe(true);
        expect(ids.every((id) => Number.isInteger(id) && id >= 0)).toBe(true);
      }),
    );
  });
});

describe('readT5TokenizerFolder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'firepod-t5-'));
    await cp(T5_TOKENIZER_FOLDERS.umt5, folder, { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function readChanged(change: Record<string, unknown>): Promise<unknown> {
    const json = JSON.parse(await readFile(join(T5_TOKENIZER_FOLDERS.umt5, 'tokenizer.json'), 'utf8'));
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify({ ...json, ...change }));
    return readT5TokenizerFolder(folder, 512);
  }

  it('takes the length from its caller where the folder has none that is real', async () => {
    const path = join(folder, 'tokenizer_config.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, '{ "model_max_length": 1e30 }');
    expect(await readChanged({})).toMatchObject({ modelMaxLength: 512, padId: 0, suffixIds: [1] });
    await writeFile(path, text);
  });

  it('names a missing file', async () => {
    const reading = readT5TokenizerFolder(join(folder, 'nowhere'), 512);
    await expect(reading).rejects.toThrow(/nowhere has no tokenizer.json/);
  });

  it.each([
    [
      { model: { type: 'BPE', vocab: {} } },
      'model_folder_invalid',
      /model.type is "BPE"; expected "Unigram"/,
    ],
    [{ normalizer: { type: 'BertNormalizer' } }, 'unsupported', /normalizer of type "BertNormalizer"/],
    [{ normalizer: { type: 'Sequence' } }, 'model_folder_invalid', /lacks its list normalizers/],
    [
      { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } },
      'model_folder_invalid',
      /charsmap/,
    ],
    [{ pre_tokenizer: { type: 'Digits' } }, 'unsupported', /pre_tokenizer of type "Digits"/],
    [
      { post_processor: { type: 'BertProcessing' } },
      'unsupported',
      /post_processor of type "BertProcessing"/,
    ],
    [{ added_tokens: [{ content: '<pad>' }] }, 'model_folder_invalid', /is not an added token/],
    [{ added_tokens: [{ id: 0, content: 'x', single_word: true }] }, 'unsupported', /"x" is sought/],
  ])('refuses %o', async (change, code, message) => {
    await expect(readChanged(change)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
