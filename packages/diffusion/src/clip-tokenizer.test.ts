import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { golden, MICRO_SDXL_FOLDER } from '../fixtures/golden.ts';
import { type ClipTokenizer, createClipTokenizer } from './clip-tokenizer.ts';
import { readTokenizerFolder } from './tokenizer-files.ts';

const folder = join(MICRO_SDXL_FOLDER, 'tokenizer');
let tokenizer: ClipTokenizer;
let tokenizer2: ClipTokenizer;
let scratch: string;

beforeAll(async () => {
  tokenizer = createClipTokenizer(await readTokenizerFolder(folder, 77));
  tokenizer2 = createClipTokenizer(await readTokenizerFolder(join(MICRO_SDXL_FOLDER, 'tokenizer_2'), 77));
  scratch = await mkdtemp(join(tmpdir(), 'firepod-tokenizer-'));
});
afterAll(() => rm(scratch, { recursive: true }));

describe('createClipTokenizer', () => {
  it.each(golden.tokens)('gives the ids of transformers for $text', (recorded) => {
    expect(tokenizer.encode(recorded.text).ids).toEqual(recorded.tokenizer);
    expect(tokenizer2.encode(recorded.text).ids).toEqual(recorded.tokenizer_2);
  });

  it('says how many ids did not fit', () => {
    expect(tokenizer.encode('red '.repeat(80)).truncated).toBe(5);
    expect(tokenizer.encode('red').truncated).toBe(0);
  });

  it('gives full-length lists of known ids with one BOS at the start, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const { ids } = tokenizer.encode(text);
        expect(ids).toHaveLength(77);
        expect(ids[0]).toBe(575);
        expect(ids).toContain(576);
        expect(ids.every((id) => id >= 0 && id <= 576)).toBe(true);
      }),
    );
  });
});

describe('readTokenizerFolder', () => {
  const vocabulary = { a: 0, 'a</w>': 1, b: 2, 'b</w>': 3, 'ab</w>': 4, '[BOS]': 5, '[EOS]': 6 };
  const special = { bos_token: '[BOS]', eos_token: { content: '[EOS]' } };

  it('reads a folder that has only tokenizer.json, its merges as text or as pairs', async () => {
    await writeFile(join(scratch, 'special_tokens_map.json'), JSON.stringify(special));
    await writeFile(join(scratch, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 5 }));
    for (const merges of [['a b</w>'], [['a', 'b</w>']]]) {
      const { '[EOS]': _, ...vocab } = vocabulary;
      const json = { model: { type: 'BPE', vocab, merges }, added_tokens: [{ id: 6, content: '[EOS]' }] };
      await writeFile(join(scratch, 'tokenizer.json'), JSON.stringify(json));
      const small = createClipTokenizer(await readTokenizerFolder(scratch, 77));
      expect(small.encode('AB').ids).toEqual([5, 4, 6, 6, 6]);
    }
  });

  it('names what is missing or wrong', async () => {
    await expect(readTokenizerFolder(join(scratch, 'nowhere'), 77)).rejects.toThrow(
      /nowhere has neither vocab.json with merges.txt nor tokenizer.json/,
    );
    await writeFile(join(scratch, 'tokenizer.json'), '{"model": {"type": "Unigram"}}');
    await expect(readTokenizerFolder(scratch, 77)).rejects.toThrow(/tokenizer.json: model.type is "Unigram"/);
    await writeFile(join(scratch, 'vocab.json'), JSON.stringify({ a: 0 }));
    await writeFile(join(scratch, 'merges.txt'), '#version: 0.2\na b c\n');
    await expect(readTokenizerFolder(scratch, 77)).rejects.toThrow(/merges.txt: "a b c" is not a merge/);
    await writeFile(join(scratch, 'merges.txt'), '#version: 0.2\n');
    await expect(readTokenizerFolder(scratch, 77)).rejects.toThrow(/lacks the bosToken "\[BOS\]"/);
  });
});
