import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MICRO_SDXL_FOLDER } from '../../fixtures/golden.ts';
import { MICRO_WAN_FOLDER } from '../../fixtures/wan-golden.ts';
import { readPipelineKind } from '../pipeline-kind.ts';
import { loadStableDiffusionXl } from './stable-diffusion-xl.ts';
import { loadWan } from './wan.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-wan-load-'));
  await cp(MICRO_WAN_FOLDER, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const load = () => loadWan({ folder, threads: 1 });

async function editJson(path: string, change: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(await readFile(join(folder, path), 'utf8'));
  await writeFile(join(folder, path), JSON.stringify({ ...json, ...change }));
}

describe('loadWan', () => {
  it('tells what the folder says', async () => {
    const pipeline = await load();
    expect(pipeline.config).toEqual({
      tasks: ['text2video'],
      latentChannels: 16,
      vaeScaleFactor: 8,
      sizeMultiple: 16,
      frameStep: 4,
      scheduler: 'UniPCMultistepScheduler',
      maxInferenceSteps: 1000,
      maxPromptTokens: 24,
    });
    await pipeline.dispose();
  });

  it.each([
    [['model_index.json'], /is not a diffusers model folder: it has no model_index.json/],
    [
      ['transformer/model.onnx', 'vae_decoder/config.json'],
      /no transformer\/model.onnx, no vae_decoder\/config/,
    ],
    [['scheduler/scheduler_config.json'], /no scheduler\/scheduler_config.json/],
    [['tokenizer/tokenizer.json'], /tokenizer has no tokenizer.json/],
  ])('names what is missing when %o is', async (paths, message) => {
    for (const path of paths) await rm(join(folder, path));
    await expect(load()).rejects.toMatchObject({
      code: 'model_folder_invalid',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [
      'model_index.json',
      { _class_name: 'LTXPipeline' },
      'unsupported',
      /holds a LTXPipeline; expected a WanPip/,
    ],
    ['model_index.json', { boundary_ratio: 0.875 }, 'unsupported', /sets boundary_ratio, which Wan 2.2 has/],
    ['transformer/config.json', { in_channels: 36 }, 'unsupported', /in_channels 36, out_channels 16/],
    ['transformer/config.json', { image_dim: 1280 }, 'unsupported', /image_dim 1280/],
    ['transformer/config.json', { patch_size: [2, 2, 2] }, 'unsupported', /patch_size \[2,2,2\]/],
    [
      'vae_decoder/config.json',
      { latents_std: [1] },
      'model_folder_invalid',
      /latents_std is \[1\]; expected 16/,
    ],
    [
      'vae_decoder/config.json',
      { scale_factor_temporal: 0 },
      'model_folder_invalid',
      /scale_factor_temporal is 0/,
    ],
    [
      'scheduler/scheduler_config.json',
      { _class_name: 'DDIMScheduler' },
      'unsupported',
      /"DDIMScheduler"; videos/,
    ],
  ])('refuses %s with %o', async (path, change, code, message) => {
    await editJson(path, change);
    await expect(load()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('names the input that a graph of another kind lacks', async () => {
    await cp(join(folder, 'vae_decoder', 'model.onnx'), join(folder, 'transformer', 'model.onnx'));
    await expect(load()).rejects.toMatchObject({
      code: 'model_folder_invalid',
      message: expect.stringMatching(
        /transformer\/model.onnx lacks the input hidden_states and the input timestep/,
      ),
    });
  });
});

describe('readPipelineKind', () => {
  it('tells the two kinds of folder apart, as their own functions do', async () => {
    expect(await readPipelineKind(folder)).toBe('wan');
    expect(await readPipelineKind(MICRO_SDXL_FOLDER)).toBe('stable-diffusion-xl');
    await expect(loadStableDiffusionXl({ folder })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(loadWan({ folder: MICRO_SDXL_FOLDER })).rejects.toMatchObject({ code: 'unsupported' });
    await editJson('model_index.json', { _class_name: 'FluxPipeline' });
    await expect(readPipelineKind(folder)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/FluxPipeline; expected a StableDiffusionXL pipeline or a WanPipeline/),
    });
  });
});
