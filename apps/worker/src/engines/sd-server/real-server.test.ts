/**
 * The same engine on the real sd-server. It runs where SD_SERVER_PATH names the program, and is set by these variables:
 *
 * - SD_SERVER_PATH: the program, such as /opt/sd-server/sd-server.
 * - SD_SERVER_MODELS: ids or paths of manifests, with commas between; the two shipped ones.
 * - SD_SERVER_MANIFESTS: the folder of manifests; models/manifests.
 * - SD_SERVER_WEIGHTS: the folder of weights; /runpod-volume/firepod-weights. Missing ones are downloaded, 16 GB for both models.
 *   A file that lies there under its manifest's path with its manifest's size is taken as it is, so that manifests of one's own
 *   (SD_SERVER_MANIFESTS) run with weights that no hub has, such as random ones of the same shapes.
 * - SD_SERVER_SIZE: pixels of a picture's sides, 1024; SD_SERVER_VIDEO_SIZE: 480x320; SD_SERVER_STEPS: 8. Less for a CPU.
 *
 *     SD_SERVER_PATH=/opt/sd-server/sd-server SD_SERVER_WEIGHTS=/data/weights \
 *       node_modules/.bin/vitest run --project unit apps/worker/src/engines/sd-server/real-server.test.ts
 *
 * It needs memory for one model at a time (about 12 GiB for pictures, 20 for videos at the cards' sizes; on a CPU at 64 pixels
 * 7 GiB and 10), and takes minutes on a GPU. Two shared CPU cores needed 12 minutes for SD_SERVER_SIZE=64
 * SD_SERVER_VIDEO_SIZE=64x64 SD_SERVER_STEPS=4, of which 3 were the video, and over a minute for a step at 512 pixels.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ResolvedImageRequest, ResolvedVideoRequest, Scheduler } from '@firepod/contract';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WorkerError } from '../../errors.ts';
import {
  descriptionFor,
  type Engine,
  type EngineProgress,
  type Frame,
  type GenerateOptions,
} from '../engine.ts';
import { createSdServerEngine } from '../sd-server.ts';
import { SAMPLERS } from './sampling.ts';

const PROGRAM = process.env['SD_SERVER_PATH'];
const MODELS = (process.env['SD_SERVER_MODELS'] ?? 'sdxl-base-1.0,wan2.1-t2v-1.3b').split(',');
const MANIFESTS =
  process.env['SD_SERVER_MANIFESTS'] ??
  fileURLToPath(new URL('../../../../../models/manifests', import.meta.url));
const WEIGHTS = process.env['SD_SERVER_WEIGHTS'] ?? '/runpod-volume/firepod-weights';
const SIZE_PX = Number(process.env['SD_SERVER_SIZE'] ?? 1024);
const [VIDEO_WIDTH_PX = 0, VIDEO_HEIGHT_PX = 0] = (process.env['SD_SERVER_VIDEO_SIZE'] ?? '480x320')
  .split('x')
  .map(Number);
const STEPS = Number(process.env['SD_SERVER_STEPS'] ?? 8);
const HOURS_MS = 4 * 3_600_000;

if (!PROGRAM) process.stderr.write('SKIPPED: no real sd-server; name one with SD_SERVER_PATH.\n');

const image: ResolvedImageRequest = {
  task_type: 'text2img',
  prompt: 'a red apple on a table, photograph',
  negative_prompt: null,
  width: SIZE_PX,
  height: SIZE_PX,
  num_images: 1,
  num_inference_steps: STEPS,
  guidance_scale: 7,
  scheduler: 'DPMSolverMultistep',
  seed: 42,
  output_format: 'png',
};
const video: ResolvedVideoRequest = {
  task_type: 'text2video',
  prompt: 'a cat walks through grass',
  negative_prompt: '',
  num_inference_steps: STEPS,
  num_frames: 5,
  fps: 16,
  video_width: VIDEO_WIDTH_PX,
  video_height: VIDEO_HEIGHT_PX,
  video_guidance_scale: 6,
  seed: 42,
};
const picture = {
  data: Uint8Array.from({ length: SIZE_PX * SIZE_PX * 3 }, (_, index) => (index * 7) % 256),
  width: SIZE_PX,
  height: SIZE_PX,
  channels: 3,
} as const;
/** Its lower half is white: to be painted anew. */
const mask = {
  data: Uint8Array.from({ length: SIZE_PX * SIZE_PX }, (_, index) =>
    index < (SIZE_PX * SIZE_PX) / 2 ? 0 : 255,
  ),
  width: SIZE_PX,
  height: SIZE_PX,
  channels: 1,
} as const;

/** The servers that this process runs now. */
async function serverPids(): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...command]) => Number(parent) === process.pid && command.includes('--listen-port'))
    .map(([pid]) => Number(pid));
}

describe.skipIf(!PROGRAM)('the real sd-server', { timeout: HOURS_MS }, () => {
  let engine: Engine;
  let tasks: string[];
  const notes: string[] = [];
  beforeAll(async () => {
    engine = await createSdServerEngine(
      {
        engine: 'sd-server',
        models: MODELS,
        manifestsFolder: MANIFESTS,
        weightsFolder: WEIGHTS,
        program: PROGRAM ?? '',
        vramGib: null,
      },
      {
        onNote: (sentence, fields) => {
          notes.push(sentence);
          process.stderr.write(`${sentence} ${JSON.stringify(fields)}\n`);
        },
      },
    );
    const { card, others = [] } = await engine.describe();
    tasks = [card, ...others.map((other) => other.card)].flatMap((each) => each.tasks);
  }, HOURS_MS);
  afterAll(() => engine?.close());

  /** Paints, and tells how long it took and how far it went. */
  async function generate(
    request: ResolvedImageRequest | ResolvedVideoRequest,
    { sources, signal = new AbortController().signal, onProgress }: Partial<GenerateOptions> = {},
  ): Promise<{ frames: Frame[]; steps: string[]; phases: string[] }> {
    const progress: EngineProgress[] = [];
    const { frames, timings } = await engine.generate(request, {
      signal,
      ...(sources && { sources }),
      onProgress: (at) => {
        progress.push(at);
        onProgress?.(at);
      },
    });
    process.stderr.write(`${request.task_type} ${JSON.stringify(timings)}\n`);
    return {
      frames,
      steps: progress
        .filter(({ phase }) => phase === 'denoising')
        .map(({ step, steps }) => `${step}/${steps}`),
      phases: progress.map(({ phase }) => phase).filter((phase, index, all) => phase !== all[index - 1]),
    };
  }

  const everyStepOf = (steps: number) => Array.from({ length: steps + 1 }, (_, step) => `${step}/${steps}`);
  const inOrder = ['encoding', 'denoising', 'decoding'];
  /** Neither flat nor black. */
  const expectPainted = ({ rgb }: Frame) => expect(new Set(rgb).size).toBeGreaterThan(100);
  const needs = (task: string, { skip }: { skip: (note: string) => void }) =>
    tasks.includes(task) || skip(`${MODELS.join(', ')} have no ${task}.`);

  it('says which commit it was built from, and has every scheduler of the cards', async (context) => {
    needs('text2img', context);
    const { card, engine: recipe } = descriptionFor(await engine.describe(), 'text2img');
    expect(recipe.version).toMatch(/\+stable-diffusion\.cpp\.[0-9a-f]{7,}$/);
    expect(card.schedulers).toEqual(['DPMSolverMultistep', 'K_EULER', 'K_EULER_ANCESTRAL', 'DDIM', 'KLMS']);
  });

  it('paints the same picture for a seed and another for another, and tells every step', async (context) => {
    needs('text2img', context);
    const [first, again, other] = [
      await generate(image),
      await generate(image),
      await generate({ ...image, seed: 43 }),
    ];
    expect(first.steps).toEqual(everyStepOf(STEPS));
    expect(first.phases).toEqual(inOrder);
    const [one, same, another] = [first, again, other].map(({ frames }) => Buffer.from(frames[0]?.rgb ?? []));
    expectPainted(first.frames[0] as Frame);
    expect(same?.equals(one as Buffer)).toBe(true);
    expect(another?.equals(one as Buffer)).toBe(false);
  });

  it.for(Object.keys(SAMPLERS) as Scheduler[])('paints by %s, step for step', async (scheduler, context) => {
    needs('text2img', context);
    const { frames, steps } = await generate({ ...image, scheduler });
    expect(steps).toEqual(everyStepOf(STEPS));
    expectPainted(frames[0] as Frame);
  });

  it('paints over a picture and a part of it, in as many steps as its strength leaves', async (context) => {
    needs('img2img', context);
    const from = { ...image, strength: 0.5, image_url: 'gs://bucket/picture.png' };
    const whole = await generate({ ...from, task_type: 'img2img' }, { sources: { image: picture } });
    const part = await generate(
      { ...from, task_type: 'inpaint', mask_url: 'gs://bucket/mask.png' },
      { sources: { image: picture, mask } },
    );
    for (const { frames, steps, phases } of [whole, part]) {
      expect(steps).toEqual(everyStepOf(Math.floor(STEPS / 2)));
      expect(phases).toEqual(inOrder);
      expectPainted(frames[0] as Frame);
    }
    expect(Buffer.compare(whole.frames[0]?.rgb as Uint8Array, part.frames[0]?.rgb as Uint8Array)).not.toBe(0);
  });

  it('ends the process that paints when it is told to, and paints with another', async (context) => {
    needs('text2img', context);
    const before = await serverPids();
    const stop = new AbortController();
    const onProgress = ({ step }: EngineProgress) => step === 1 && stop.abort(new Error('enough'));
    await expect(generate(image, { signal: stop.signal, onProgress })).rejects.toThrow('enough');
    expect((await generate(image)).frames).toHaveLength(1);
    const after = await serverPids();
    expect(before).toHaveLength(1);
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
  });

  it('makes a video of the frames that were asked for, in the place of the pictures’ server', async (context) => {
    needs('text2video', context);
    const before = await serverPids();
    const { frames, steps, phases } = await generate(video);
    expect(frames.map(({ widthPx, heightPx }) => [widthPx, heightPx])).toEqual(
      Array(5).fill([VIDEO_WIDTH_PX, VIDEO_HEIGHT_PX]),
    );
    frames.forEach(expectPainted);
    expect(steps).toEqual(everyStepOf(STEPS));
    expect(phases).toEqual(inOrder);
    const after = await serverPids();
    expect(after).toHaveLength(1);
    if (tasks.includes('text2img')) expect(after).not.toEqual(before);
  });

  it('fails a job whose process dies with what is known of it, and paints with another', async (context) => {
    needs('text2img', context);
    const abort = async ({ step }: EngineProgress) => {
      if (step !== 1) return;
      for (const pid of await serverPids()) process.kill(pid, 'SIGABRT');
    };
    const error = await generate(image, { onProgress: (at) => void abort(at) }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(WorkerError);
    expect(error).toMatchObject({
      code: 'engine_crashed',
      message: expect.stringContaining('signal SIGABRT'),
    });
    await vi.waitFor(async () => expect(await serverPids()).toHaveLength(1), 60_000);
    expect(notes.join()).toContain('ended (signal SIGABRT); starting it again.');
    expect((await generate(image)).frames).toHaveLength(1);
  });
});
