/** The same engine on the real sd-server, where there is one: SD_SERVER_PATH, and SD_SERVER_WEIGHTS for what it needs. */
import { fileURLToPath } from 'node:url';
import type { ResolvedImageRequest, ResolvedVideoRequest } from '@firepod/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descriptionFor, type Engine, type EngineProgress } from '../engine.ts';
import { createSdServerEngine } from '../sd-server.ts';

const PROGRAM = process.env['SD_SERVER_PATH'];
/** Ids of shipped manifests; weights that are missing are downloaded, 16 GB for both. */
const MODELS = (process.env['SD_SERVER_MODELS'] ?? 'sdxl-base-1.0,wan2.1-t2v-1.3b').split(',');
const WEIGHTS = process.env['SD_SERVER_WEIGHTS'] ?? '/runpod-volume/firepod-weights';
const HOUR_MS = 3_600_000;

if (!PROGRAM) process.stderr.write('SKIPPED: no real sd-server; name one with SD_SERVER_PATH.\n');

const image: ResolvedImageRequest = {
  task_type: 'text2img',
  prompt: 'a red apple on a table, photograph',
  negative_prompt: null,
  width: 1024,
  height: 1024,
  num_images: 1,
  num_inference_steps: 8,
  guidance_scale: 7,
  scheduler: 'DPMSolverMultistep',
  seed: 42,
  output_format: 'png',
};
const video: ResolvedVideoRequest = {
  task_type: 'text2video',
  prompt: 'a cat walks through grass',
  negative_prompt: '',
  num_inference_steps: 6,
  num_frames: 5,
  fps: 16,
  video_width: 480,
  video_height: 320,
  video_guidance_scale: 6,
  seed: 42,
};

describe.skipIf(!PROGRAM)('the real sd-server', { timeout: HOUR_MS }, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createSdServerEngine(
      {
        engine: 'sd-server',
        models: MODELS,
        manifestsFolder: fileURLToPath(new URL('../../../../../models/manifests', import.meta.url)),
        weightsFolder: WEIGHTS,
        program: PROGRAM ?? '',
        vramGib: null,
      },
      { onNote: (sentence, fields) => process.stderr.write(`${sentence} ${JSON.stringify(fields)}\n`) },
    );
  }, HOUR_MS);
  afterAll(() => engine?.close());

  const never = new AbortController().signal;

  it('has every scheduler of the cards', async () => {
    const { card } = descriptionFor(await engine.describe(), 'text2img');
    expect(card.schedulers).toEqual(['DPMSolverMultistep', 'K_EULER', 'K_EULER_ANCESTRAL', 'DDIM', 'KLMS']);
  });

  it.skipIf(!MODELS.includes('sdxl-base-1.0'))(
    'paints the same picture for a seed, and tells every step',
    async () => {
      const progress: EngineProgress[] = [];
      const first = await engine.generate(image, { signal: never, onProgress: (at) => progress.push(at) });
      const steps = progress.filter(({ phase }) => phase === 'denoising').map(({ step }) => step);
      expect(steps).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
      const second = await engine.generate(image, { signal: never, onProgress: () => {} });
      expect(Buffer.compare(first.frames[0]?.rgb ?? Buffer.of(), second.frames[0]?.rgb ?? Buffer.of(1))).toBe(
        0,
      );
      expect(new Set(first.frames[0]?.rgb).size).toBeGreaterThan(100); // no flat or black picture
    },
  );

  it.skipIf(!MODELS.includes('sdxl-base-1.0'))('stops when it is told to, and paints again', async () => {
    const stop = new AbortController();
    const onProgress = ({ step }: EngineProgress) => step === 2 && stop.abort(new Error('enough'));
    await expect(engine.generate(image, { signal: stop.signal, onProgress })).rejects.toThrow('enough');
    expect((await engine.generate(image, { signal: never, onProgress: () => {} })).frames).toHaveLength(1);
  });

  it.skipIf(!MODELS.includes('wan2.1-t2v-1.3b'))(
    'makes a video of the frames that were asked for',
    async () => {
      const { frames } = await engine.generate(video, { signal: never, onProgress: () => {} });
      expect(frames.map(({ widthPx, heightPx }) => [widthPx, heightPx])).toEqual(Array(5).fill([480, 320]));
    },
  );
});
