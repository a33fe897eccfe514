import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MICRO_SDXL_FOLDER } from '../fixtures/golden.ts';
import { MICRO_WAN_FOLDER } from '../fixtures/wan-golden.ts';
import { checkModelFolder } from './model-check.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-check-'));
});
afterEach(() => rm(folder, { recursive: true }));

it.each([
  ['stable-diffusion-xl', MICRO_SDXL_FOLDER, ['unet/model.onnx', 'vae_decoder/config.json']],
  ['wan', MICRO_WAN_FOLDER, ['transformer/model.onnx', 'vae_decoder/config.json']],
] as const)('a folder for %s is whole, or every missing file is named', async (kind, source, files) => {
  await cp(source, folder, { recursive: true });
  expect(await checkModelFolder(folder)).toBe(kind);
  for (const file of files) await rm(join(folder, file));
  await expect(checkModelFolder(folder)).rejects.toMatchObject({
    code: 'model_folder_invalid',
    message: `${folder} is incomplete: it has no ${files.join(', no ')}.`,
  });
});

it.each([
  ['tokenizer_2', MICRO_SDXL_FOLDER],
  ['tokenizer', MICRO_WAN_FOLDER],
])('a missing %s is told', async (tokenizer, source) => {
  await cp(source, folder, { recursive: true });
  await rm(join(folder, tokenizer), { recursive: true });
  await expect(checkModelFolder(folder)).rejects.toThrow(join(folder, tokenizer));
});
