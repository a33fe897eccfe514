import { setTimeout as pause } from 'node:timers/promises';
import type { ResolvedImageRequest, ResolvedVideoRequest } from '@firepod/contract';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { createSdServerModels, type SdServerModels } from '../../testing/sd-server-models.ts';
import { programBeside } from '../child-program.ts';
import { describeThrown } from '../errors.ts';
import { descriptionFor, type Engine, type EngineProgress, type GenerateOptions } from './engine.ts';
import { startEngineHost } from './host.ts';
import { createSdServerEngine, type SdServerEngineOptions } from './sd-server.ts';

const image: ResolvedImageRequest = {
  task_type: 'text2img',
  prompt: 'a fox',
  negative_prompt: null,
  width: 128,
  height: 64,
  num_images: 1,
  num_inference_steps: 4,
  guidance_scale: 6.5,
  scheduler: 'DPMSolverMultistep',
  seed: 2 ** 32 - 1,
  output_format: 'png',
};
const video: ResolvedVideoRequest = {
  task_type: 'text2video',
  prompt: 'a fox runs',
  negative_prompt: 'blurry',
  num_inference_steps: 4,
  num_frames: 5,
  fps: 16,
  video_width: 64,
  video_height: 64,
  video_guidance_scale: 6,
  seed: 7,
};
const picture = { data: new Uint8Array(128 * 64 * 3), width: 128, height: 64, channels: 3 } as const;
const mask = { data: new Uint8Array(128 * 64), width: 128, height: 64, channels: 1 } as const;

let models: SdServerModels;
const engines: Engine[] = [];
const notes: string[] = [];
beforeAll(async () => {
  models = await createSdServerModels();
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  notes.length = 0;
});
afterAll(() => models.close());

async function start(
  ids: string[],
  options: SdServerEngineOptions = {},
  vramGib: number | null = null,
): Promise<Engine> {
  const engine = await createSdServerEngine(
    { ...models.settings(...ids), vramGib },
    { restartMinMs: 5, onNote: (sentence) => notes.push(sentence), ...options },
  );
  engines.push(engine);
  return engine;
}

function options(parts: Partial<GenerateOptions> = {}): GenerateOptions {
  return { signal: new AbortController().signal, onProgress: () => {}, ...parts };
}

const pidsOf = (id: string) => models.startsOf(id).map(({ pid }) => pid);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the sd-server engine', { timeout: 60_000 }, () => {
  it('fetches the weights once, starts the first server with our options alone, and describes its model', async () => {
    models.add('fetched', 'image', { samplers: ['euler', 'dpm++2m'] });
    vi.stubEnv('FIREBASE_SERVICE_ACCOUNT_KEY', 'a secret');
    const engine = await start(['fetched']);
    vi.unstubAllEnvs();
    const { card, modelSha256, engine: recipe } = await engine.describe();
    // The program lacks `lms`, which it would replace without a word.
    expect(card.schedulers).toEqual(['DPMSolverMultistep', 'K_EULER']);
    expect(modelSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(recipe).toMatchObject({
      name: 'sd-server',
      version: expect.stringContaining('+stable-diffusion.cpp.97d2990'),
    });
    const [{ options: given, env, cwd }] = models.startsOf('fetched') as [
      ReturnType<SdServerModels['startsOf']>[0],
    ];
    expect(given).toMatchObject({
      rng: 'cpu',
      'listen-ip': '127.0.0.1',
      'lora-model-dir': cwd,
      'hires-upscalers-dir': cwd,
    });
    expect(given['vae']).toMatch(/fetched\/vae\.safetensors$/);
    expect(env).toHaveProperty('PATH');
    expect(env).not.toHaveProperty('FIREBASE_SERVICE_ACCOUNT_KEY');
    await start(['fetched']);
    expect(models.fetched.filter((path) => path.startsWith('/fetched/'))).toHaveLength(2);
  });

  it('paints each picture with a seed of its own, also where seeds wrap, and tells how far it is', async () => {
    models.add('painter', 'image');
    const engine = await start(['painter']);
    const progress: EngineProgress[] = [];
    const result = await engine.generate(
      { ...image, num_images: 2 },
      options({ onProgress: (at) => progress.push(at) }),
    );
    expect(result.seeds).toEqual([2 ** 32 - 1, 0]);
    expect(
      result.frames.map(({ rgb, widthPx, heightPx }) => [widthPx, heightPx, ...rgb.subarray(0, 3)]),
    ).toEqual([
      [128, 64, 255, 255, 0],
      [128, 64, 0, 0, 0],
    ]);
    const denoising = progress
      .filter(({ phase }) => phase === 'denoising')
      .map(({ step, steps }) => `${step}/${steps}`);
    expect(denoising).toEqual(['0/8', '1/8', '2/8', '3/8', '4/8', '4/8', '5/8', '6/8', '7/8', '8/8']);
    expect(progress.map(({ step }) => step)).toEqual(
      progress.map(({ step }) => step).sort((one, other) => one - other),
    );
    expect(progress.at(-1)).toMatchObject({ phase: 'decoding', step: 8 });
    const { total, encoding, denoising: denoisingSeconds, decoding } = result.timings;
    expect((encoding ?? 0) + (denoisingSeconds ?? 0) + (decoding ?? 0)).toBeCloseTo(total, 1);
    expect(models.jobsOf('painter')[1]).toMatchObject({
      seed: 0,
      batch_count: 1,
      negative_prompt: '',
      sample_params: {
        sample_method: 'dpm++2m',
        scheduler: 'discrete',
        eta: 0,
        sample_steps: 4,
        guidance: { txt_cfg: 6.5 },
      },
    });
  });

  it('paints over a picture, or a part of it, in as many steps as diffusers does by its strength', async () => {
    models.add('painter-over', 'image');
    const engine = await start(['painter-over']);
    async function paintOver(request: ResolvedImageRequest, sources: GenerateOptions['sources']) {
      const steps: string[] = [];
      const onProgress = (at: EngineProgress) => steps.push(`${at.step}/${at.steps}`);
      const { frames } = await engine.generate(request, options({ sources, onProgress }));
      return { blue: frames[0]?.rgb[2], steps: [...new Set(steps)] };
    }
    const from = { ...image, image_url: 'gs://x' };
    expect(await paintOver({ ...from, task_type: 'img2img', strength: 0.5 }, { image: picture })).toEqual({
      blue: 1,
      steps: ['0/2', '1/2', '2/2'],
    });
    const inpaint = { ...from, task_type: 'inpaint', mask_url: 'gs://y' } as const;
    for (const [strength, last] of [
      [0.3, '1/1'],
      [0.999, '3/3'],
      [1, '4/4'],
    ] as const) {
      const { blue, steps } = await paintOver({ ...inpaint, strength }, { image: picture, mask });
      expect([blue, steps.at(-1)]).toEqual([3, last]);
    }
  });

  it('refuses at the door what the server would do otherwise than asked', async () => {
    models.add('refuser', 'image');
    const engine = await start(['refuser']);
    const img2img = { ...image, task_type: 'img2img', image_url: 'gs://x' } as const;
    await expect(engine.generate({ ...image, scheduler: 'PNDM' }, options())).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^scheduler: "PNDM" is not allowed; expected one of DDIM, /),
    });
    await expect(
      engine.generate({ ...img2img, strength: 0.1 }, options({ sources: { image: picture } })),
    ).rejects.toThrow('strength: 0.1 of 4 steps is less than one step; expected at least 0.25.');
    await expect(engine.generate(video, options())).rejects.toMatchObject({
      code: 'model_not_available',
      message: 'task_type: text2video cannot be made by this worker; expected text2img, img2img, inpaint.',
    });
    expect(models.jobsOf('refuser')).toEqual([]);
    expect(models.startsOf('refuser')).toHaveLength(1);
  });

  it('makes videos with a second model, whose server takes the place of the first one’s', async () => {
    models.add('pictures', 'image');
    models.add('videos', 'video');
    const engine = await start(['pictures', 'videos']);
    expect(models.startsOf('videos')).toEqual([]);
    const description = await engine.describe();
    expect(descriptionFor(description, 'inpaint').card.id).toBe('pictures');
    expect(descriptionFor(description, 'text2video').card.id).toBe('videos');
    const steps: number[] = [];
    const onProgress = ({ phase, step }: EngineProgress) => phase === 'denoising' && steps.push(step);
    const { frames, seeds } = await engine.generate(video, options({ onProgress }));
    expect(steps).toEqual([0, 1, 2, 3, 4]);
    expect(seeds).toEqual([7]);
    expect(frames.map(({ rgb }) => Math.round((rgb[0] ?? 0) / 20))).toEqual([0, 1, 2, 3, 4]);
    expect(models.jobsOf('videos')[0]).toMatchObject({
      video_frames: 5,
      fps: 16,
      sample_params: { sample_method: 'euler', flow_shift: 3 },
      output_format: 'avi',
    });
    expect(pidsOf('pictures').some(isRunning)).toBe(false);
    await expect(engine.generate({ ...video, num_frames: 6 }, options())).rejects.toMatchObject({
      code: 'internal',
      cause: expect.objectContaining({ message: 'The server made 5 frames; expected 6.' }),
    });
  });

  it('keeps both servers where the memory is enough for both', async () => {
    models.add('small', 'image');
    models.add('other', 'video');
    const engine = await start(['small', 'other'], {}, 16);
    await engine.generate(video, options());
    await engine.generate(image, options());
    expect([...pidsOf('small'), ...pidsOf('other')].map(isRunning)).toEqual([true, true]);
  });

  it('ends the server when a generation is no longer wanted, and has another one ready by itself', async () => {
    models.add('cancelled', 'image');
    const engine = await start(['cancelled']);
    const stop = new AbortController();
    const running = engine.generate(
      { ...image, prompt: 'waits' },
      options({
        signal: stop.signal,
        onProgress: ({ step }) => step === 2 && stop.abort(new Error('No longer wanted.')),
      }),
    );
    await expect(running).rejects.toThrow('No longer wanted.');
    await vi.waitFor(() => expect(pidsOf('cancelled')).toHaveLength(2), 20_000);
    expect(isRunning(pidsOf('cancelled')[0] as number)).toBe(false);
    await engine.generate(image, options());
    expect(pidsOf('cancelled')).toHaveLength(2);
    // Before its job begins there is nothing to end.
    const early = AbortSignal.abort(new Error('Never wanted.'));
    await expect(engine.generate(image, options({ signal: early }))).rejects.toThrow('Never wanted.');
    expect(pidsOf('cancelled').map(isRunning)).toEqual([false, true]);
  });

  it.each([
    ['crashes', 'engine_crashed', /SIGABRT: .*illegal memory access/],
    ['aborts for memory', 'out_of_memory', /SIGABRT: CUDA error: out of memory/],
    ['asserts memory', 'out_of_memory', /insufficient memory \(attempted to allocate 4900/],
    ['fills memory', 'out_of_memory', /insufficient memory .*; sampling for image 1\/1 failed/],
    ['gets no JSON', 'engine_crashed', /answered with something else/],
  ])('fails a job that %s as %s, and works on with a new server', async (prompt, code, reason) => {
    const id = `broken-${prompt.replaceAll(' ', '-').toLowerCase()}`;
    models.add(id, 'image');
    const engine = await start([id]);
    const error = await engine.generate({ ...image, prompt }, options()).catch((thrown) => thrown);
    expect(error).toMatchObject({ code });
    expect(describeThrown(error)).toMatch(reason);
    await engine.generate(image, options());
    expect(pidsOf(id)).toHaveLength(2);
  });

  it('fails a job alone where the server is well: refused, failed, lost, or with no picture in its answer', async () => {
    models.add('well', 'image');
    const engine = await start(['well']);
    for (const [prompt, reason] of [
      ['is refused', /invalid generation parameters.*can only work with strength/],
      ['is refused', /invalid generation parameters.*can only work with strength/],
      ['fails', /generate_image returned no results; diffusion model compute failed/],
      ['breaks the server', /500.*bad_function_call/],
      ['is lost', /404.*job not found/],
      ['answers nonsense', /unsupported image format|Input buffer/],
    ] as const) {
      const error = await engine.generate({ ...image, prompt }, options()).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'internal' });
      expect(error.message).not.toMatch(reason);
      expect(describeThrown(error)).toMatch(reason);
    }
    // A full queue empties, garbage among the bars hides no step, and an answer may be large.
    for (const prompt of ['meets a queue', 'prints garbage', 'answers hugely']) {
      expect((await engine.generate({ ...image, prompt }, options())).frames).toHaveLength(1);
    }
    expect(pidsOf('well')).toHaveLength(1);
  });

  it('gives up on a server that hangs', async () => {
    models.add('hanging', 'image');
    const engine = await start(['hanging'], { stallTimeoutMs: 300 });
    await expect(engine.generate({ ...image, prompt: 'hangs' }, options())).rejects.toMatchObject({
      code: 'engine_crashed',
      message: 'The server printed nothing for 0.3 s.',
    });
    await vi.waitFor(() => expect(pidsOf('hanging')).toHaveLength(2), 20_000);
  });

  it('starts again a server that dies between two jobs, later and later while it cannot start', async () => {
    models.add('dying', 'image', { start: [null, 'bad-model'] });
    const engine = await start(['dying']);
    process.kill(pidsOf('dying')[0] as number, 'SIGKILL');
    await vi.waitFor(() => expect(pidsOf('dying')).toHaveLength(2), 20_000);
    expect(notes.join()).toContain('The server of dying ended (signal SIGKILL); starting it again.');
    await vi.waitFor(() => expect(engine.generate(image, options())).resolves.toBeDefined(), 20_000);
    expect(pidsOf('dying').length).toBeGreaterThanOrEqual(3);
  });

  it('takes another port when the first one is taken meanwhile, and is patient with a slow start', async () => {
    models.add('late', 'image', { start: ['port-in-use', 'another-model', 'slow'] });
    await start(['late']);
    const ports = models.startsOf('late').map(({ options: given }) => given['listen-port']);
    expect(new Set(ports).size).toBe(3);
  });

  it.each([
    ['bad-model', 'model_not_available', /data offsets out of bounds.*new_sd_ctx_t failed/],
    ['out-of-memory', 'out_of_memory', /alloc params backend buffer failed/],
    ['hang', 'model_not_available', /was not ready within 1500 ms/],
    ['another-model', 'model_not_available', /another program answers on its port/],
    ['another-mode', 'model_not_available', /it makes vid_gen instead of img_gen/],
  ])('is not there when its server does not start: %s', async (fault, code, reason) => {
    models.add(`start-${fault}`, 'image', { start: [fault, fault, fault] });
    // Only the one that hangs may reach it: a machine can be slow.
    const startTimeoutMs = fault === 'hang' ? 1500 : 60_000;
    const error = await start([`start-${fault}`], { startTimeoutMs }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code });
    expect(describeThrown(error)).toMatch(reason);
    await pause(20);
    expect(pidsOf(`start-${fault}`).some(isRunning)).toBe(false);
  });

  it('works in the engine’s process, tells the worker’s log of its server, and dies with it however that dies', async () => {
    models.add('hosted', 'image');
    const logger = createCollectingLogger();
    const host = startEngineHost({
      program: programBeside(import.meta.url, './child'),
      settings: models.settings('hosted'),
      abortGraceMs: 5000,
      logger,
    });
    try {
      const { frames } = await host.generate(image, options());
      expect(frames[0]).toMatchObject({ widthPx: 128, heightPx: 64 });
      process.kill(pidsOf('hosted')[0] as number, 'SIGKILL');
      await vi.waitFor(() => expect(pidsOf('hosted')).toHaveLength(2), 20_000);
      const told = logger.lines.map(({ message }) => message);
      expect(told).toContain('The server of hosted ended (signal SIGKILL); starting it again.');
      // Without a word to anybody: the kernel ends the server.
      if (process.platform === 'linux') process.kill(host.pid as number, 'SIGKILL');
      else process.kill(host.pid as number, 'SIGTERM');
      await vi.waitFor(() => expect(isRunning(pidsOf('hosted')[1] as number)).toBe(false), 20_000);
    } finally {
      await host.close();
    }
    await vi.waitFor(() => expect(pidsOf('hosted').some(isRunning)).toBe(false), 20_000);
  });

  it('is not there without its program, and leaves no process when it is closed', async () => {
    models.add('closed', 'image');
    const without = { ...models.settings('closed'), program: '/nowhere/sd-server' };
    const error = await createSdServerEngine(without).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'model_not_available' });
    expect(describeThrown(error)).toMatch(/ENOENT/);
    const engine = await start(['closed']);
    await engine.close();
    expect(pidsOf('closed').some(isRunning)).toBe(false);
  });
});
