/** The engine on stable-diffusion.cpp's server: SDXL and Wan on a GPU, each model in a process of its own. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ERROR_CODES,
  type ModelCard,
  type ResolvedImageRequest,
  type ResolvedRequest,
  type ResolvedVideoRequest,
  seedOfImage,
  type TaskType,
} from '@firepod/contract';
import { WorkerError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type {
  Engine,
  EngineDescription,
  Frame,
  GeneratedFrames,
  GenerateOptions,
  SdServerSettings,
} from './engine.ts';
import type { NoteListener } from './messages.ts';
import type { Capabilities } from './sd-server/api.ts';
import { serverEnvironment } from './sd-server/command.ts';
import { runServerJob, type ServerResult } from './sd-server/job.ts';
import { imageJobBody, stepsOf, videoJobBody } from './sd-server/job-body.ts';
import { readManifest } from './sd-server/manifest.ts';
import { createModelServer, type ModelServer } from './sd-server/model-server.ts';
import { decodePicture, decodeVideo, encodeSources } from './sd-server/pictures.ts';
import { createProgressMeter, type ProgressMeter } from './sd-server/progress.ts';
import { supportedSchedulers } from './sd-server/sampling.ts';
import { createVramBudget } from './sd-server/vram-budget.ts';
import { ensureWeights, type LocalModel } from './sd-server/weights.ts';

/** It only opens the files; weights are read by the first job. A cold network volume is slow all the same. */
const START_TIMEOUT_MS = 10 * 60_000;
/** Reading many gigabytes of weights from a volume prints a line now and then; decoding a long video prints none. */
const STALL_TIMEOUT_MS = 10 * 60_000;
const VERSION_TIMEOUT_MS = 30_000;

/** What tests and hosts may set beside the settings. */
export interface SdServerEngineOptions {
  /** Takes sentences for the log: downloads, deaths, restarts. */
  onNote?: NoteListener;
  startTimeoutMs?: number;
  stallTimeoutMs?: number;
  restartMinMs?: number;
}

interface Model extends LocalModel {
  server: ModelServer;
  vramGib: number;
}

/**
 * Fetches the weights of all models, and starts the server of the first one, so that a machine on which it cannot run
 * takes no job. The others start with their first job.
 * @throws WorkerError `model_not_available` or `out_of_memory`, with the reason as its cause
 */
export async function createSdServerEngine(
  settings: SdServerSettings,
  options: SdServerEngineOptions = {},
): Promise<Engine> {
  const { onNote = () => {}, startTimeoutMs = START_TIMEOUT_MS, stallTimeoutMs = STALL_TIMEOUT_MS } = options;
  const closing = new AbortController();
  const version = await programVersion(settings.program);
  const manifests = await Promise.all(
    settings.models.map((model) => readManifest(model, settings.manifestsFolder)),
  );
  const emptyFolder = await mkdtemp(join(tmpdir(), 'firepod-sd-server-'));
  const models: Model[] = [];

  async function close(): Promise<void> {
    closing.abort();
    await Promise.all(models.map(({ server }) => server.stop()));
    await rm(emptyFolder, { recursive: true, force: true });
  }

  async function start(): Promise<Capabilities> {
    for (const manifest of manifests) {
      const local = await ensureWeights(manifest, {
        folder: settings.weightsFolder,
        signal: closing.signal,
        onNote,
      });
      const server = createModelServer({
        program: settings.program,
        model: local,
        emptyFolder,
        startTimeoutMs,
        onNote,
        ...(options.restartMinMs !== undefined && { restartMinMs: options.restartMinMs }),
      });
      models.push({ ...local, server, vramGib: manifest.server.vram_gib });
    }
    if (!models[0]) throw new WorkerError('model_not_available', 'The worker has no model.');
    return (await models[0].server.ready(closing.signal)).ready;
  }

  const capabilities = await start().catch(async (error) => {
    await close();
    throw error;
  });
  const budget = createVramBudget(models, settings.vramGib);
  const [first, ...others] = models.map(({ manifest, sha256 }): EngineDescription => {
    const schedulers = supportedSchedulers(manifest.card.schedulers, capabilities);
    return {
      card: cardWith(manifest.card, schedulers),
      modelSha256: sha256,
      engine: { name: 'sd-server', version: `${VERSION}+${version}` },
    };
  });

  const description = { ...(first as EngineDescription), others };

  function modelFor(task: TaskType): Model {
    const model = models.find(({ manifest }) => manifest.card.tasks.includes(task));
    if (model) return model;
    const offered = models.flatMap(({ manifest }) => manifest.card.tasks).join(', ');
    throw new WorkerError(
      'model_not_available',
      `task_type: ${task} cannot be made by this worker; expected ${offered}.`,
    );
  }

  async function generate(
    request: ResolvedRequest,
    generateOptions: GenerateOptions,
  ): Promise<GeneratedFrames> {
    const model = modelFor(request.task_type);
    const { signal } = generateOptions;
    signal.throwIfAborted();
    await budget.makeRoomFor(model);
    const runOptions = { ...generateOptions, stallTimeoutMs };
    const result =
      request.task_type === 'text2video'
        ? await generateVideo(model, request, runOptions)
        : await generateImages(model, request, runOptions);
    model.server.succeeded();
    return result;
  }

  return {
    describe: async () => description,
    generate,
    close,
  };
}

type RunOptions = GenerateOptions & { stallTimeoutMs: number };

async function generateImages(
  model: Model,
  request: ResolvedImageRequest,
  { signal, onProgress, sources, stallTimeoutMs }: RunOptions,
): Promise<GeneratedFrames> {
  const { num_images, width, height } = request;
  const seeds = Array.from({ length: num_images }, (_, index) => seedOfImage(request.seed, index));
  const encoded = sources && (await encodeSources(sources));
  const bodies = seeds.map((seed) => imageJobBody(request, seed, encoded));
  const meter = createProgressMeter({ pictures: num_images, stepsExpected: stepsOf(request), onProgress });
  const frames: Frame[] = [];
  for (const [index, body] of bodies.entries()) {
    meter.begin(index);
    const { images } = await run(model, body, meter, { signal, stallTimeoutMs });
    frames.push(await decoded(decodePicture(images?.[0]?.b64_json ?? '', width, height)));
  }
  return { frames, seeds, timings: meter.timings() };
}

async function generateVideo(
  model: Model,
  request: ResolvedVideoRequest,
  { signal, onProgress, stallTimeoutMs }: RunOptions,
): Promise<GeneratedFrames> {
  const { num_inference_steps, num_frames, video_width, video_height, seed } = request;
  const meter: ProgressMeter = createProgressMeter({
    pictures: 1,
    stepsExpected: num_inference_steps,
    onProgress,
  });
  meter.begin(0);
  const body = videoJobBody(request, model.manifest);
  const { b64_json } = await run(model, body, meter, { signal, stallTimeoutMs });
  const size = { frameCount: num_frames, widthPx: video_width, heightPx: video_height };
  const frames = await decoded(decodeVideo(b64_json ?? '', size));
  return { frames, seeds: [seed], timings: meter.timings() };
}

/** One job. When it ends otherwise than as the server says, only a new process helps. */
async function run(
  { server, manifest }: Model,
  body: object,
  meter: ProgressMeter,
  { signal, stallTimeoutMs }: Pick<RunOptions, 'signal' | 'stallTimeoutMs'>,
): Promise<ServerResult> {
  const process = await server.ready(signal);
  try {
    return await runServerJob(process, {
      mode: manifest.server.mode,
      body,
      signal,
      stallTimeoutMs,
      onOutput: meter.read,
    });
  } catch (error) {
    const isServerFine = error instanceof WorkerError && error.code === 'internal';
    // One that died is replaced already, after a pause.
    if ((signal.aborted || !isServerFine) && server.pid === process.pid) server.replace();
    throw error;
  }
}

/** What the server sent is not for users' eyes when it is no picture. */
function decoded<Result>(decoding: Promise<Result>): Promise<Result> {
  return decoding.catch((cause) => {
    throw new WorkerError('internal', ERROR_CODES.internal.sentence, { cause });
  });
}

function cardWith(card: ModelCard, schedulers: ModelCard['schedulers']): ModelCard {
  const scheduler = schedulers.find((name) => name === card.defaults.scheduler) ?? schedulers[0];
  const { scheduler: _, ...defaults } = card.defaults;
  return { ...card, schedulers, defaults: { ...defaults, ...(scheduler && { scheduler }) } };
}

/** The commit that the program was built from belongs to a picture's recipe. */
async function programVersion(program: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
      env: serverEnvironment(process.env),
    });
    const commit = /commit (\w+)/.exec(stdout)?.[1];
    return `stable-diffusion.cpp.${commit ?? 'unknown'}`;
  } catch (cause) {
    throw new WorkerError(
      'model_not_available',
      'The program of the model on the worker cannot be started.',
      { cause },
    );
  }
}
