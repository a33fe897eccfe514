import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICRO_SDXL_FOLDER, writeMicroModel } from '../../fixtures/golden.ts';
import type { SourceImage } from '../source-image.ts';
import type { ImageToImageRequest } from './image-to-image.ts';
import type { InpaintRequest } from './inpaint.ts';
import type { GenerationProgress, RefinerRequest } from './request.ts';
import { loadStableDiffusionXl, type StableDiffusionXl } from './stable-diffusion-xl.ts';

function grayImage(width: number, height: number, channels: 1 | 3 | 4 = 3): SourceImage {
  return { width, height, channels, data: new Uint8Array(width * height * channels).fill(99) };
}

const image = grayImage(32, 48);
const request: ImageToImageRequest = {
  prompt: 'a red apple',
  negativePrompt: null,
  numInferenceSteps: 4,
  guidanceScale: 5,
  scheduler: 'DDIM',
  seeds: [7],
  image,
  strength: 0.5,
};
const inpaintRequest: InpaintRequest = { ...request, mask: grayImage(32, 48, 1) };
const refiner: RefinerRequest = { numInferenceSteps: 4, highNoiseFraction: 0.5, strength: 0.5 };

describe('a base model with a refiner', () => {
  let scratch: string;
  let model: StableDiffusionXl;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'firepod-requests-'));
    const refinerFolder = await writeMicroModel(join(scratch, 'refiner'), 'refiner');
    model = await loadStableDiffusionXl({ folder: MICRO_SDXL_FOLDER, refinerFolder, threads: 1 });
  });
  afterAll(async () => {
    await model.dispose();
    await rm(scratch, { recursive: true });
  });

  it('paints in the size of the source and gives each seed its own picture, the same alone or with others', async () => {
    const { images } = await model.imageToImage({ ...request, seeds: [3, 4] });
    const { images: alone } = await model.imageToImage({ ...request, seeds: [4] });
    expect(images.map(({ width, height, seed }) => [width, height, seed])).toEqual([
      [32, 48, 3],
      [32, 48, 4],
    ]);
    expect(images[1]!.data).toEqual(alone[0]!.data);
    expect(images[0]!.data).not.toEqual(images[1]!.data);
  });

  it('takes gray and RGBA sources as the RGB that PIL makes of them', async () => {
    const { images: rgb } = await model.imageToImage(request);
    const { images: gray } = await model.imageToImage({ ...request, image: grayImage(32, 48, 1) });
    const { images: rgba } = await model.imageToImage({ ...request, image: grayImage(32, 48, 4) });
    expect(gray[0]!.data).toEqual(rgb[0]!.data);
    expect(rgba[0]!.data).toEqual(rgb[0]!.data);
  });

  it('leaves a picture as it is where the mask is black, and repaints all of it where it is white', async () => {
    const latentsUnder = async (value: number) => {
      const samples: Float32Array[] = [];
      const onProgress = ({ sample }: GenerationProgress) => void (sample && samples.push(sample));
      const mask = { ...grayImage(32, 48, 1), data: new Uint8Array(32 * 48).fill(value) };
      const run = { ...inpaintRequest, mask, strength: 1, onProgress };
      await model.inpaint(run);
      await model.inpaint({ ...run, prompt: 'green rocket' });
      return [samples[3]!, samples[7]!];
    };
    const [kept, keptAgain] = await latentsUnder(0);
    expect(kept).toEqual(keptAgain);
    const [painted, paintedAgain] = await latentsUnder(255);
    expect(painted).not.toEqual(paintedAgain);
  });

  it('counts the steps of both models, and times each', async () => {
    const seen: GenerationProgress[] = [];
    const { width, height } = image;
    const onProgress = (progress: GenerationProgress) => void seen.push(progress);
    await model.textToImage({ ...request, width, height, seeds: [1, 2], refiner, onProgress });
    const denoising = seen.filter(({ phase }) => phase === 'denoise');
    // Two steps of the base model and two of the refiner for each picture.
    expect(denoising.map(({ step, steps }) => `${step}/${steps}`)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((step) => `${step}/8`),
    );
    expect(denoising.every(({ durationMs }) => durationMs! > 0)).toBe(true);
  });

  it('stops within one step of an abort, also in the refiner', async () => {
    const controller = new AbortController();
    let steps = 0;
    const run = model.imageToImage({
      ...request,
      numInferenceSteps: 50,
      refiner: { ...refiner, numInferenceSteps: 50 },
      strength: 1,
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase === 'denoise' && ++steps === 30) setImmediate(() => controller.abort());
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(steps).toBeLessThanOrEqual(31);
  });

  it.each<[Partial<ImageToImageRequest>, RegExp]>([
    [{ strength: 0 }, /strength is 0; expected a number above 0 and at most 1/],
    [{ strength: 0.2 }, /strength is 0.2; with 4 steps that leaves none to take, expected at least 0.25/],
    [{ image: grayImage(32, 40) }, /height is 40; expected a multiple of 16/],
    [{ image: { ...image, channels: 4 } }, /image has 4608 bytes for 32 x 48 pixels of 4 channels/],
    [
      { refiner: { ...refiner, highNoiseFraction: 1 } },
      /high_noise_frac is 1; expected null or a number between/,
    ],
    [
      { refiner: { ...refiner, highNoiseFraction: 0.01 } },
      /high_noise_frac is 0.01; .* none for the base model/,
    ],
    [{ refiner: { ...refiner, highNoiseFraction: 0.999 } }, /none for the refiner/],
    [{ refiner: { ...refiner, numInferenceSteps: 0 } }, /num_inference_steps is 0/],
    [{ refiner: { ...refiner, highNoiseFraction: null, strength: 2 } }, /strength is 2/],
  ])('names field, value and expectation for %o', async (change, message) => {
    await expect(model.imageToImage({ ...request, ...change })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
  });

  it('refuses a mask of another size', async () => {
    const run = model.inpaint({ ...inpaintRequest, mask: grayImage(48, 32, 1) });
    await expect(run).rejects.toMatchObject({
      code: 'invalid_request',
      message: "mask is 48 x 32 pixels; expected the image's size, 32 x 48.",
    });
  });
});

describe('a model', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'firepod-kinds-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('without a VAE encoder paints from words only, and without a refiner refuses one', async () => {
    const path = await writeMicroModel(join(folder, 'plain'), 'base');
    await rm(join(path, 'vae_encoder'), { recursive: true });
    const model = await loadStableDiffusionXl({ folder: path, threads: 1 });
    expect(model.config).toMatchObject({ tasks: ['text2img'], hasRefiner: false });
    await expect(model.imageToImage(request)).rejects.toMatchObject({
      code: 'unsupported',
      message: 'The model cannot do img2img; it can do text2img.',
    });
    const refined = model.textToImage({ ...request, width: 32, height: 32, refiner });
    await expect(refined).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/without a refiner/),
    });
    await model.dispose();
  });

  it('with an inpainting UNet inpaints only, and needs its VAE encoder', async () => {
    const path = await writeMicroModel(join(folder, 'inpaint'), 'inpaint');
    const model = await loadStableDiffusionXl({ folder: path, threads: 1 });
    expect(model.config.tasks).toEqual(['inpaint']);
    await expect(model.textToImage({ ...request, width: 32, height: 32 })).rejects.toThrow(
      /cannot do text2img/,
    );
    await model.dispose();
    await rm(join(path, 'vae_encoder'), { recursive: true });
    await expect(loadStableDiffusionXl({ folder: path })).rejects.toMatchObject({
      code: 'model_folder_invalid',
      message: expect.stringContaining('it has no vae_encoder/model.onnx'),
    });
    await expect(
      loadStableDiffusionXl({ folder: MICRO_SDXL_FOLDER, refinerFolder: path }),
    ).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('cannot refine') });
  });

  it('that is a refiner repaints pictures by itself', async () => {
    const path = await writeMicroModel(join(folder, 'refiner'), 'refiner');
    const model = await loadStableDiffusionXl({ folder: path, threads: 1 });
    expect(model.config.tasks).toEqual(['img2img', 'inpaint']);
    const { images } = await model.imageToImage(request);
    expect(images[0]).toMatchObject({ width: 32, height: 48 });
    await model.dispose();
  });
});
