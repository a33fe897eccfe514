/** Reads an SDXL folder in the diffusers ONNX layout (what optimum exports): checks that it is whole and gathers its settings. */

import { join } from 'node:path';
import { DiffusionError } from './errors.ts';
import { assertFilesExist, assertNotLfsPointer, incompleteFolder, readModelIndex } from './folder-files.ts';
import { fileExists, readJsonFile } from './json-file.ts';
import { type SchedulerName, schedulerNameOf } from './schedulers/registry.ts';
import { parseSchedulerConfig, type SchedulerConfig } from './schedulers/scheduler-config.ts';

/** SDXL's VAE scale, for exports whose config.json lost it (optimum's own guess of 8 is wrong for SDXL). */
const SDXL_SCALING_FACTOR = 0.13025;

/** A text encoder of the pipeline, by its folder name. */
type TextEncoderPart = 'text_encoder' | 'text_encoder_2';
/** A graph of the pipeline, by its folder name. */
export type ModelPart = TextEncoderPart | 'unet' | 'vae_decoder' | 'vae_encoder';
/** What a model can be asked for. */
export type ImageTask = 'text2img' | 'img2img' | 'inpaint';

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
  /** The UNet sees mask and masked picture beside the latents: it inpaints, and does nothing else. */
  readonly isInpaintingUnet: boolean;
  /** What the folder's graphs are enough for. */
  readonly tasks: readonly ImageTask[];
  /** Both for a base model, the second alone for a refiner. */
  readonly textEncoders: readonly TextEncoderPart[];
  readonly hasVaeEncoder: boolean;
  /** The refiner's conditioning: an aesthetic score where the base model has the target size. */
  readonly requiresAestheticsScore: boolean;
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
  readonly maxPositions: ReadonlyMap<TextEncoderPart, number>;
}

/**
 * Reads and checks a folder; `as: 'refiner'` asks for what a refiner needs beside a base model, whose VAE it shares. Throws
 * `model_folder_invalid` listing every missing file, or `unsupported` for another kind of model.
 */
export async function readModelFolder(
  folder: string,
  { as: role }: { as: 'model' | 'refiner' } = { as: 'model' },
): Promise<ModelFolder> {
  const index = await readModelIndex(folder);
  assertStableDiffusionXl(index, folder);
  const textEncoders = textEncodersOf(index);
  const parts: ModelPart[] = [...textEncoders, 'unet', ...(role === 'model' ? ['vae_decoder' as const] : [])];
  await assertFilesExist(folder, parts);
  const hasVaeEncoder = role === 'model' && (await fileExists(join(folder, 'vae_encoder', 'model.onnx')));
  if (hasVaeEncoder) await assertNotLfsPointer(join(folder, 'vae_encoder', 'model.onnx'));

  const configOf = (part: ModelPart) => readJsonFile(join(folder, part, 'config.json'));
  const unet = await configOf('unet');
  const vae = role === 'model' ? await configOf('vae_decoder') : {};
  const scheduler = await readJsonFile(join(folder, 'scheduler', 'scheduler_config.json'));
  const maxPositions = new Map<TextEncoderPart, number>();
  for (const part of textEncoders) {
    maxPositions.set(part, numberOr((await configOf(part))['max_position_embeddings'], 77));
  }
  const { latentChannels, isInpaintingUnet } = readUnetConfig(unet);
  const vaeScaleFactor = 2 ** (lengthOf(vae['block_out_channels'], 4) - 1);
  const sampleSize = unet['sample_size'];
  if (role === 'model' && isInpaintingUnet && !hasVaeEncoder)
    throw incompleteFolder(folder, ['vae_encoder/model.onnx']);
  return {
    folder,
    isInpaintingUnet,
    textEncoders,
    hasVaeEncoder,
    tasks: tasksOf({ isInpaintingUnet, textEncoders, hasVaeEncoder }),
    vae: readVaeConfig(vae),
    latentChannels,
    requiresAestheticsScore: index['requires_aesthetics_score'] === true,
    vaeScaleFactor,
    sizeMultiple: vaeScaleFactor * 2 ** (lengthOf(unet['block_out_channels'], 3) - 1),
    nativeSize: typeof sampleSize === 'number' ? sampleSize * vaeScaleFactor : null,
    defaultScheduler: schedulerNameOf(scheduler['_class_name']),
    schedulerConfig: parseSchedulerConfig(scheduler),
    forceZerosForEmptyPrompt: index['force_zeros_for_empty_prompt'] !== false,
    maxPositions,
  };
}

function tasksOf({
  isInpaintingUnet,
  textEncoders,
  hasVaeEncoder,
}: Pick<ModelFolder, 'isInpaintingUnet' | 'textEncoders' | 'hasVaeEncoder'>): ImageTask[] {
  if (isInpaintingUnet) return ['inpaint'];
  const isRefiner = textEncoders.length === 1;
  return [
    ...(isRefiner ? [] : ['text2img' as const]),
    ...(hasVaeEncoder ? (['img2img', 'inpaint'] as const) : []),
  ];
}

function assertStableDiffusionXl(index: Record<string, unknown>, folder: string): void {
  const pipeline = String(index['_class_name'] ?? '');
  if (pipeline.includes('StableDiffusionXL')) return;
  throw new DiffusionError(
    'unsupported',
    `${folder} holds a ${pipeline || 'model of unnamed class'}; expected a StableDiffusionXL pipeline.`,
  );
}

/** A refiner's model_index.json has `"text_encoder": [null, null]`. */
function textEncodersOf(index: Record<string, unknown>): TextEncoderPart[] {
  const first = index['text_encoder'];
  const isRefiner = Array.isArray(first) && first[0] === null;
  return isRefiner ? ['text_encoder_2'] : ['text_encoder', 'text_encoder_2'];
}

function readUnetConfig(unet: Record<string, unknown>): {
  latentChannels: number;
  isInpaintingUnet: boolean;
} {
  const [input, output] = [numberOr(unet['in_channels'], 4), numberOr(unet['out_channels'], 4)];
  const isInpaintingUnet = input === 2 * output + 1;
  if (input !== output && !isInpaintingUnet) {
    throw new DiffusionError(
      'unsupported',
      `unet/config.json has in_channels ${input} and out_channels ${output}; expected ${output} or, for inpainting, ${2 * output + 1} channels in.`,
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
  return { latentChannels: output, isInpaintingUnet };
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
