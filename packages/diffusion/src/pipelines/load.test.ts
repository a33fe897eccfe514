import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { golden, goldenTensor, MICRO_SDXL_FOLDER, peakSignalToNoiseRatio } from '../../fixtures/golden.ts';
import { SCHEDULER_NAMES } from '../schedulers/registry.ts';
import { loadStableDiffusionXl } from './stable-diffusion-xl.ts';

const HALF_FOLDER = join(MICRO_SDXL_FOLDER, '..', 'micro-sdxl-half');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-load-'));
  await cp(MICRO_SDXL_FOLDER, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const load = () => loadStableDiffusionXl({ folder, threads: 1 });

async function editJson(path: string, change: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(await readFile(join(folder, path), 'utf8'));
  await writeFile(join(folder, path), JSON.stringify({ ...json, ...change }));
}

describe('loadStableDiffusionXl', () => {
  it('tells what the folder says', async () => {
    const pipeline = await load();
    expect(pipeline.config).toEqual({
      vaeScaleFactor: 8,
      latentChannels: 4,
      sizeMultiple: 16,
      nativeSize: 64,
      defaultScheduler: 'K_EULER',
      schedulers: [...SCHEDULER_NAMES],
      predictionType: 'epsilon',
      tasks: ['text2img', 'img2img', 'inpaint'],
      hasRefiner: false,
      maxInferenceSteps: 999,
      forceZerosForEmptyPrompt: true,
      maxPromptTokens: 77,
    });
    await pipeline.dispose();
  });

  it('runs float16 graphs with an int64 timestep of rank 1, close to the float32 picture', async () => {
    await cp(HALF_FOLDER, folder, { recursive: true });
    const entry = golden.pipeline.find(({ name }) => name === 'euler-leading-null')!;
    const pipeline = await load();
    const { images } = await pipeline.textToImage({
      prompt: entry.prompt,
      negativePrompt: entry.negative,
      width: entry.width,
      height: entry.height,
      numInferenceSteps: entry.steps,
      guidanceScale: entry.guidance,
      scheduler: entry.scheduler,
      seeds: [entry.seeds[0]!],
    });
    const expected = goldenTensor(`${entry.name}.pixels`).data.slice(0, images[0]!.data.length);
    // Half precision moves the UNet's output by about 1e-3 a step; 30 dB would still be told apart by eye.
    expect(peakSignalToNoiseRatio(images[0]!.data, expected)).toBeGreaterThan(35);
    await pipeline.dispose();
  });

  it('reads what Python alone takes for JSON, as diffusers writes it', async () => {
    const path = join(folder, 'scheduler', 'scheduler_config.json');
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text.replace('{', '{ "lambda_min_clipped": -Infinity, "note": "NaN \\" -Infinity",'),
    );
    await (await load()).dispose();
  });

  it.each([
    [['model_index.json'], /is not a diffusers model folder: it has no model_index.json/],
    [['unet/model.onnx', 'vae_decoder/config.json'], /no unet\/model.onnx, no vae_decoder\/config.json/],
    [['scheduler/scheduler_config.json'], /no scheduler\/scheduler_config.json/],
    [['tokenizer_2/merges.txt'], /tokenizer_2 has neither vocab.json with merges.txt nor tokenizer.json/],
    [['unet/model.onnx_data'], /unet\/model.onnx could not be loaded: .*model.onnx_data/],
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
      { _class_name: 'FluxPipeline' },
      /holds a FluxPipeline; expected a StableDiffusionXL/,
    ],
    [
      'unet/config.json',
      { in_channels: 8 },
      /in_channels 8 and out_channels 4; expected 4 or, for inpainting, 9/,
    ],
    ['unet/config.json', { time_cond_proj_dim: 256 }, /time_cond_proj_dim/],
    ['unet/config.json', { addition_embed_type: 'text' }, /addition_embed_type "text"/],
    ['scheduler/scheduler_config.json', { use_beta_sigmas: true }, /use_beta_sigmas/],
  ])('refuses %s with %o, which needs another pipeline', async (path, change, message) => {
    await editJson(path, change);
    await expect(load()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(message),
    });
  });

  it('names the input that a graph of another kind lacks', async () => {
    await cp(join(folder, 'vae_decoder', 'model.onnx'), join(folder, 'unet', 'model.onnx'));
    await expect(load()).rejects.toMatchObject({
      code: 'model_folder_invalid',
      message: expect.stringMatching(
        /unet\/model.onnx lacks the input sample and the input timestep .* it has inputs latent_sample/,
      ),
    });
  });

  it('names broken files: JSON, a graph, a git-lfs pointer', async () => {
    await writeFile(
      join(folder, 'text_encoder', 'model.onnx'),
      'version https://git-lfs.github.com/spec/v1\n',
    );
    await expect(load()).rejects.toThrow(/text_encoder\/model.onnx is a git-lfs pointer/);
    await writeFile(join(folder, 'text_encoder', 'model.onnx'), 'not a graph');
    await expect(load()).rejects.toThrow(/text_encoder\/model.onnx could not be loaded/);
    await writeFile(join(folder, 'unet', 'config.json'), '{');
    await expect(load()).rejects.toThrow(/unet\/config.json is not valid JSON/);
  });

  it.skipIf(existsSync('/proc/driver/nvidia'))(
    'says so when the execution provider cannot start, even with the CPU next in line',
    async () => {
      const attempt = loadStableDiffusionXl({ folder, executionProviders: ['cuda', 'cpu'] });
      await expect(attempt).rejects.toMatchObject({
        code: 'execution_provider_unavailable',
        message: expect.stringMatching(/"cuda" cannot start on this machine: ./),
      });
    },
  );
});
