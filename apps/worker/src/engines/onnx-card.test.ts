import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StableDiffusionXlConfig, WanConfig } from '@firepod/diffusion';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { modelDigest } from './model-digest.ts';
import { readOnnxCard } from './onnx-card.ts';

const config: StableDiffusionXlConfig = {
  vaeScaleFactor: 8,
  latentChannels: 4,
  sizeMultiple: 32,
  nativeSize: 1024,
  defaultScheduler: 'K_EULER',
  schedulers: ['DDIM', 'K_EULER'],
  predictionType: 'epsilon',
  tasks: ['text2img', 'img2img', 'inpaint'],
  hasRefiner: false,
  maxInferenceSteps: 999,
  forceZerosForEmptyPrompt: true,
  maxPromptTokens: 77,
};

const videoConfig: WanConfig = {
  tasks: ['text2video'],
  latentChannels: 16,
  vaeScaleFactor: 8,
  sizeMultiple: 16,
  frameStep: 4,
  scheduler: 'UniPCMultistepScheduler',
  maxInferenceSteps: 1000,
  maxPromptTokens: 512,
};

const card = {
  id: 'tiny',
  name: 'Tiny',
  version: '2.0.0',
  tasks: ['text2img', 'img2img'],
  native_size: { width: 128, height: 128 },
  size_multiple: 48,
  defaults: { scheduler: 'PNDM', num_inference_steps: 12 },
  schedulers: ['DDIM', 'PNDM'],
  licence: 'MIT',
};

describe('a model folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'firepod-model-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is described by its card, within what the engine can do with it', async () => {
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify(card));
    expect(await readOnnxCard(folder, config)).toMatchObject({
      id: 'tiny',
      version: '2.0.0',
      tasks: ['text2img', 'img2img'],
      size_multiple: 96,
      schedulers: ['DDIM'],
      defaults: { scheduler: 'DDIM', num_inference_steps: 12 },
    });
  });

  it('is described by its configuration where it has no card', async () => {
    expect(await readOnnxCard(folder, config)).toMatchObject({
      id: expect.stringMatching(/^firepod-model-/),
      tasks: ['text2img', 'img2img', 'inpaint'],
      native_size: { width: 1024, height: 1024 },
      size_multiple: 32,
      schedulers: ['DDIM', 'K_EULER'],
      defaults: { scheduler: 'K_EULER' },
    });
  });

  it('of videos is described with its frame step, and without schedulers to choose from', async () => {
    const videoCard = { ...card, tasks: ['text2video'], frame_step: 8, defaults: { num_frames: 17, fps: 8 } };
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify(videoCard));
    expect(await readOnnxCard(folder, videoConfig)).toMatchObject({
      tasks: ['text2video'],
      size_multiple: 48,
      frame_step: 8,
      schedulers: [],
      defaults: { num_frames: 17, fps: 8 },
    });
  });

  it('is refused when it has nothing to offer: another task in its card, or a UNet that only inpaints', async () => {
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify({ ...card, tasks: ['text2video'] }));
    await expect(readOnnxCard(folder, config)).rejects.toMatchObject({ code: 'model_not_available' });
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify(card));
    const inpainting = { ...config, tasks: ['inpaint' as const] };
    await expect(readOnnxCard(folder, inpainting)).rejects.toMatchObject({ code: 'model_not_available' });
  });

  it('tells of a refiner by what was loaded, not by its card', async () => {
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify({ ...card, has_refiner: true }));
    expect(await readOnnxCard(folder, config)).toMatchObject({ has_refiner: false });
    expect(await readOnnxCard(folder, { ...config, hasRefiner: true })).toMatchObject({ has_refiner: true });
  });

  it('is refused with a faulty card, whose fault the log tells', async () => {
    writeFileSync(join(folder, 'model_card.json'), JSON.stringify({ ...card, tasks: [] }));
    await expect(readOnnxCard(folder, config)).rejects.toMatchObject({
      code: 'model_not_available',
      cause: expect.objectContaining({ message: expect.stringContaining('tasks') }),
    });
  });

  it('has the digest that sha256sum gives, whatever its card says', async () => {
    mkdirSync(join(folder, 'unet'));
    writeFileSync(join(folder, 'unet/model.onnx'), 'graph');
    writeFileSync(join(folder, 'unet/model.onnx_data'), 'weights');
    writeFileSync(join(folder, 'model_index.json'), '{}');
    writeFileSync(join(folder, 'README.md'), 'read me');
    const digest = await modelDigest(folder);
    const names = 'model_index.json unet/model.onnx unet/model.onnx_data';
    const expected = execFileSync('sh', ['-c', `sha256sum ${names} | sha256sum | cut -c1-64`], {
      cwd: folder,
    });
    expect(digest).toBe(expected.toString().trim());

    writeFileSync(join(folder, 'model_card.json'), '{}');
    expect(await modelDigest(folder)).toBe(digest);
    writeFileSync(join(folder, 'unet/model.onnx_data'), 'other weights');
    expect(await modelDigest(folder)).not.toBe(digest);
  });
});
