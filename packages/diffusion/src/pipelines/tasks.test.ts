import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  golden,
  goldenTensor,
  largestDifference,
  peakSignalToNoiseRatio,
  type TaskCase,
  writeMicroModel,
} from '../../fixtures/golden.ts';
import type { SourceImage } from '../source-image.ts';
import type { GenerationResult, RefinerRequest } from './request.ts';
import { loadStableDiffusionXl, type StableDiffusionXl } from './stable-diffusion-xl.ts';

let scratch: string;
const models = new Map<string, Promise<StableDiffusionXl>>();
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'firepod-tasks-'));
});
afterAll(async () => {
  for (const model of models.values()) await (await model).dispose();
  await rm(scratch, { recursive: true });
});

/** The model of a case, loaded once for all cases with the same scheduler settings; the base model comes with the refiner. */
function modelOf({ task, scheduler_config }: TaskCase): Promise<StableDiffusionXl> {
  const isInpaint = task === 'inpaint-9';
  const key = JSON.stringify([isInpaint, scheduler_config]);
  const load = async () => {
    const folder = await writeMicroModel(
      join(scratch, `model-${models.size}`),
      isInpaint ? 'inpaint' : 'base',
      scheduler_config,
    );
    if (isInpaint) return loadStableDiffusionXl({ folder, threads: 1 });
    const refinerFolder = await writeMicroModel(`${folder}-refiner`, 'refiner', scheduler_config);
    return loadStableDiffusionXl({ folder, refinerFolder, threads: 1 });
  };
  const model = models.get(key) ?? load();
  models.set(key, model);
  return model;
}

function sourceOf({ size }: TaskCase, kind: 'image' | 'mask'): SourceImage {
  const { shape, data } = goldenTensor(`task.${size}.${kind}`);
  const [height, width, channels = 1] = shape as [number, number, 3?];
  return { data: data as Uint8Array, width, height, channels };
}

function refinerOf(entry: TaskCase): RefinerRequest {
  return {
    numInferenceSteps: entry.steps + 2,
    highNoiseFraction: entry.high_noise_frac ?? null,
    strength: entry.refiner_strength ?? 0.3,
  };
}

async function run(entry: TaskCase, samples: Float32Array[]): Promise<GenerationResult> {
  const model = await modelOf(entry);
  const request = {
    prompt: entry.prompt,
    negativePrompt: entry.negative,
    numInferenceSteps: entry.steps,
    guidanceScale: entry.guidance,
    scheduler: entry.scheduler,
    seeds: [entry.seed],
    guidanceRescale: entry.guidance_rescale ?? 0,
    clipSkip: entry.clip_skip ?? 0,
    onProgress: ({ sample }: { sample?: Float32Array }) => {
      if (sample) samples.push(sample);
    },
  };
  const { width, height, strength = Number.NaN } = entry;
  const image = sourceOf(entry, 'image');
  switch (entry.task) {
    case 'text2img':
      return model.textToImage({ ...request, width, height });
    case 'img2img':
      return model.imageToImage({ ...request, image, strength });
    case 'inpaint':
    case 'inpaint-9':
      return model.inpaint({ ...request, image, mask: sourceOf(entry, 'mask'), strength });
    case 'ensemble':
    case 'refine':
      return model.textToImage({ ...request, width, height, refiner: refinerOf(entry) });
  }
}

function everySecondPixel({ width, height, data }: { width: number; height: number; data: Uint8Array }) {
  const kept: number[] = [];
  for (let row = 0; row < height; row += 2) {
    for (let column = 0; column < width; column += 2) {
      const start = (row * width + column) * 3;
      kept.push(...data.subarray(start, start + 3));
    }
  }
  return Uint8Array.from(kept);
}

const cases = golden.tasks.map((entry, index) => {
  const options = JSON.stringify(entry.scheduler_config);
  return { ...entry, index, title: `${entry.task}, ${entry.size}, ${entry.scheduler} ${options}` };
});

describe('the latents of diffusers at every step to 1e-3, and its picture', () => {
  it.each(cases)('$title', async ({ index, title, ...entry }) => {
    const samples: Float32Array[] = [];
    const { images } = await run(entry, samples);
    const { data } = goldenTensor(`task.${index}.latents`);
    const all = samples.flatMap((sample) => [...sample]);
    const worst = largestDifference(all, data);
    const psnr = peakSignalToNoiseRatio(
      everySecondPixel(images[0]!),
      goldenTensor(`task.${index}.pixels`).data,
    );
    if (process.env['PRINT_PARITY'])
      process.stdout.write(`PARITY ${title}: ${worst.toExponential(1)} ${psnr.toFixed(0)} dB\n`);
    expect(worst).toBeLessThan(1e-3);
    // The promise is 45 dB; 60 also catches pixels that are cut instead of rounded.
    expect(psnr).toBeGreaterThanOrEqual(60);
    expect(images[0]!.seed).toBe(entry.seed);
  });
});
