/** Reads an SDXL folder in the diffusers ONNX layout (what optimum exports): checks that it is whole and gathers its settings. */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DiffusionError } from './errors.ts';
import { fileExists, readJsonFile } from './json-file.ts';
import { type SchedulerName, schedulerNameOf } from './schedulers/registry.ts';
import { parseSchedulerConfig, type SchedulerConfig } from './schedulers/scheduler-config.ts';

/** SDXL's VAE scale, for exports whose config.json lost it (optimum's own guess of 8 is wrong for SDXL). */
const SDXL_SCALING_FACTOR = 0.13025;
const PARTS = ['text_encoder', 'text_encoder_2', 'unet', 'vae_decoder'] as const;

/** A graph of the pipeline, by its folder name. */
export type ModelPart = (typeof PARTS)[number];

/** How latents relate to what the VAE decodes. */
export interface VaeConfig {
  readonly scalingFactor: number;
  /** Per latent channel; both or neither are used. */
  readonly latentsMean: readonly number[] | undefined;
  readonly latentsStd: readonly number[] | undefined;
  /** The original SDXL VAE overflows in half precision; only a reason to warn here. */
  readonly forceUpcast: boolean;
}

/** A checked model folder; nothing is loaded into ONNX Runtime yet. */
export interface ModelFolder {
  readonly folder: string;
  readonly vae: VaeConfig;
  readonly latentChannels: number;
  /** Pixels per latent cell along one side: 8 for SDXL. */
  readonly vaeScaleFactor: number;
  /** Widths and heights must be multiples of this: the VAE's factor times the UNet's own downsampling (32 for SDXL). */
  readonly sizeMultiple: number;
  /** The side in pixels that the UNet was trained on, when its config says so. */
  readonly nativeSize: number | null;
  /** The scheduler that scheduler_config.json names; null when this package does not have it. */
  readonly defaultScheduler: SchedulerName | null;
  readonly schedulerConfig: SchedulerConfig;
  readonly forceZerosForEmptyPrompt: boolean;
  /** Token positions of each text encoder, where its config says so. */
  readonly maxPositions: Readonly<Record<'text_encoder' | 'text_encoder_2', number>>;
}

/** Reads and checks a folder. Throws `model_folder_invalid` listing every missing file, or `unsupported` for another kind of model. */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  if (!(await fileExists(join(folder, 'model_index.json')))) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${folder} is not a diffusers model folder: it has no model_index.json.`,
    );
  }
  const index = await readJsonFile(join(folder, 'model_index.json'));
  assertTextToImage(index, folder);
  await assertFilesExist(folder);
  const [textEncoder, textEncoder2, unet, vae, scheduler] = await Promise.all([
    ...PARTS.map((part) => readJsonFile(join(folder, part, 'config.json'))),
    readJsonFile(join(folder, 'scheduler', 'scheduler_config.json')),
  ] as const);
  assertUnetIsTextToImage(unet!);
  const vaeScaleFactor = 2 ** (lengthOf(vae!['block_out_channels'], 4) - 1);
  const sampleSize = unet!['sample_size'];
  return {
    folder,
    vae: readVaeConfig(vae!),
    latentChannels: numberOr(unet!['in_channels'], 4),
    vaeScaleFactor,
    sizeMultiple: vaeScaleFactor * 2 ** (lengthOf(unet!['block_out_channels'], 3) - 1),
    nativeSize: typeof sampleSize === 'number' ? sampleSize * vaeScaleFactor : null,
    defaultScheduler: schedulerNameOf(scheduler!['_class_name']),
    schedulerConfig: parseSchedulerConfig(scheduler!),
    forceZerosForEmptyPrompt: index['force_zeros_for_empty_prompt'] !== false,
    maxPositions: {
      text_encoder: numberOr(textEncoder!['max_position_embeddings'], 77),
      text_encoder_2: numberOr(textEncoder2!['max_position_embeddings'], 77),
    },
  };
}

function assertTextToImage(index: Record<string, unknown>, folder: string): void {
  const pipeline = String(index['_class_name'] ?? '');
  if (!pipeline.includes('StableDiffusionXL')) {
    throw new DiffusionError(
      'unsupported',
      `${folder} holds a ${pipeline || 'model of unnamed class'}; expected a StableDiffusionXL pipeline.`,
    );
  }
  const textEncoder = index['text_encoder'];
  if (
    index['requires_aesthetics_score'] === true ||
    (Array.isArray(textEncoder) && textEncoder[0] === null)
  ) {
    throw new DiffusionError(
      'unsupported',
      `${folder} holds an SDXL refiner; text to image needs a base model.`,
    );
  }
}

function assertUnetIsTextToImage(unet: Record<string, unknown>): void {
  const [input, output] = [numberOr(unet['in_channels'], 4), numberOr(unet['out_channels'], 4)];
  if (input !== output) {
    throw new DiffusionError(
      'unsupported',
      `unet/config.json has in_channels ${input} and out_channels ${output}; text to image needs them equal (an inpainting UNet?).`,
    );
  }
  if (typeof unet['time_cond_proj_dim'] === 'number') {
    throw new DiffusionError(
      'unsupported',
      'unet/config.json has time_cond_proj_dim: UNets distilled from guidance (LCM) are not supported.',
    );
  }
  if ((unet['addition_embed_type'] ?? 'text_time') !== 'text_time') {
    throw new DiffusionError(
      'unsupported',
      `unet/config.json has addition_embed_type ${JSON.stringify(unet['addition_embed_type'])}; SDXL has "text_time".`,
    );
  }
}

async function assertFilesExist(folder: string): Promise<void> {
  const required = [
    ...PARTS.flatMap((part) => [`${part}/model.onnx`, `${part}/config.json`]),
    'scheduler/scheduler_config.json',
  ];
  const present = await Promise.all(required.map((name) => fileExists(join(folder, name))));
  const missing = required.filter((_, index) => !present[index]);
  if (missing.length > 0) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${folder} is incomplete: it has no ${missing.join(', no ')}.`,
    );
  }
  for (const part of PARTS) await assertNotLfsPointer(join(folder, part, 'model.onnx'));
}

/** A clone without git-lfs leaves a short text where the weights should be; ONNX Runtime's parse error would not tell. */
async function assertNotLfsPointer(path: string): Promise<void> {
  const marker = 'version https://git-lfs';
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(marker.length), 0, marker.length, 0);
    if (buffer.toString('latin1', 0, bytesRead) !== marker) return;
  } finally {
    await file.close();
  }
  throw new DiffusionError(
    'model_folder_invalid',
    `${path} is a git-lfs pointer, not a model; run "git lfs pull" in that folder.`,
  );
}

function readVaeConfig(config: Record<string, unknown>): VaeConfig {
  return {
    scalingFactor: numberOr(config['scaling_factor'], SDXL_SCALING_FACTOR),
    latentsMean: numbersOf(config['latents_mean']),
    latentsStd: numbersOf(config['latents_std']),
    forceUpcast: config['force_upcast'] === true,
  };
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

function numbersOf(value: unknown): number[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value : undefined;
}

function lengthOf(value: unknown, fallback: number): number {
  return Array.isArray(value) && value.length > 0 ? value.length : fallback;
}
