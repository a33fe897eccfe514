/** The model card of a folder in the diffusers ONNX layout: its own `model_card.json`, else what its configuration says. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  DEFAULTS,
  leastCommonMultiple,
  type ModelCard,
  modelCardSchema,
  type TaskType,
} from '@firepod/contract';
import type { StableDiffusionXlConfig, WanConfig } from '@firepod/diffusion';
import { z } from 'zod';
import { WorkerError } from '../errors.ts';

/** What a loaded model says of itself: of pictures or of videos. */
export type PipelineConfig = StableDiffusionXlConfig | WanConfig;

/** The side that SDXL was trained at. */
const SDXL_NATIVE_PX = 1024;

/** What this engine can do with the model; a card may promise less, never more. `name` is for a folder that has none. */
export async function readOnnxCard(
  folder: string,
  config: PipelineConfig,
  name = basename(folder),
): Promise<ModelCard> {
  const card = (await readCardFile(join(folder, 'model_card.json'))) ?? cardFromConfig(name, config);
  const tasks = config.tasks.filter((task: TaskType) => card.tasks.includes(task));
  if (tasks.length === 0) {
    throw new WorkerError('model_not_available', 'The model on the worker has no task that it offers.', {
      cause: new Error(`${folder}: card ${card.tasks.join(', ')}; graphs ${config.tasks.join(', ')}`),
    });
  }
  return {
    ...card,
    tasks: [...tasks],
    size_multiple: leastCommonMultiple(card.size_multiple, config.sizeMultiple),
    ...('frameStep' in config ? videoFields(card, config) : imageFields(card, config)),
  };
}

/** The folder's scheduler is the one that videos are made with. */
function videoFields(card: ModelCard, config: WanConfig): Partial<ModelCard> {
  const frame_step = leastCommonMultiple(card.frame_step ?? 1, config.frameStep);
  return { has_refiner: false, schedulers: [], frame_step };
}

function imageFields(card: ModelCard, config: StableDiffusionXlConfig): Partial<ModelCard> {
  const offered = config.schedulers.filter((name) => card.schedulers.includes(name));
  const schedulers = offered.length > 0 ? offered : config.schedulers;
  const scheduler =
    schedulers.find((name) => name === card.defaults.scheduler) ??
    schedulers.find((name) => name === config.defaultScheduler) ??
    schedulers[0];
  return {
    has_refiner: config.hasRefiner,
    schedulers: [...schedulers],
    defaults: { ...card.defaults, ...(scheduler ? { scheduler } : {}) },
  };
}

/** The card in the file at `path`; null where there is none. @throws WorkerError `model_not_available` for a faulty one */
export async function readCardFile(path: string): Promise<ModelCard | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return modelCardSchema.parse(JSON.parse(text));
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new WorkerError('model_not_available', 'The model on the worker has a faulty model card.', {
      cause: new Error(`${path}: ${problem}`, { cause }),
    });
  }
}

function cardFromConfig(name: string, config: PipelineConfig): ModelCard {
  return modelCardSchema.parse({
    id: name.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'model',
    name,
    version: '1',
    tasks: [...config.tasks],
    native_size: nativeSizeOf(config),
    size_multiple: config.sizeMultiple,
    defaults: {},
    limits: { max_steps: Math.min(config.maxInferenceSteps, 150) },
    licence: 'unknown',
  });
}

function nativeSizeOf(config: PipelineConfig): ModelCard['native_size'] {
  if ('frameStep' in config) return { width: DEFAULTS.video_width, height: DEFAULTS.video_height };
  const sidePx = config.nativeSize ?? SDXL_NATIVE_PX;
  return { width: sidePx, height: sidePx };
}
