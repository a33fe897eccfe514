/** Reads a Wan 2.1 folder in the diffusers layout with ONNX graphs: checks that it is whole and gathers its settings. */

import { join } from 'node:path';
import { DiffusionError } from './errors.ts';
import { assertFilesExist, readModelIndex } from './folder-files.ts';
import { readJsonFile } from './json-file.ts';
import type { VaeConfig } from './model-folder.ts';
import { type FlowSchedulerConfig, parseFlowSchedulerConfig } from './schedulers/flow-config.ts';

/** The graphs of the pipeline, by their folder names. */
const WAN_PARTS = ['text_encoder', 'transformer', 'vae_decoder'] as const;
/** A graph of the pipeline, by its folder name. */
export type WanPart = (typeof WAN_PARTS)[number];

/** A checked folder; nothing is loaded into ONNX Runtime yet. */
export interface WanFolder {
  readonly folder: string;
  readonly vae: VaeConfig;
  readonly latentChannels: number;
  /** Pixels per latent cell along one side: 8. */
  readonly spatialFactor: number;
  /** Frames per latent frame behind the first one, which stands for one frame: 4. */
  readonly temporalFactor: number;
  /** Widths and heights are multiples of this: the VAE's factor times the transformer's patch (16). */
  readonly sizeMultiple: number;
  readonly scheduler: FlowSchedulerConfig;
}

/** Reads and checks a folder. Throws `model_folder_invalid` listing every missing file, or `unsupported` for another kind of model. */
export async function readWanFolder(folder: string): Promise<WanFolder> {
  const index = await readModelIndex(folder);
  assertTextToVideo(index, folder);
  await assertFilesExist(folder, WAN_PARTS);
  const transformer = await readJsonFile(join(folder, 'transformer', 'config.json'));
  const vae = await readJsonFile(join(folder, 'vae_decoder', 'config.json'));
  const scheduler = await readJsonFile(join(folder, 'scheduler', 'scheduler_config.json'));
  const latentChannels = wholeNumberOf(transformer, 'in_channels', 16);
  const outChannels = wholeNumberOf(transformer, 'out_channels', latentChannels);
  if (outChannels !== latentChannels || (transformer['image_dim'] ?? null) !== null) {
    throw new DiffusionError(
      'unsupported',
      `transformer/config.json has in_channels ${latentChannels}, out_channels ${outChannels} and image_dim ${transformer['image_dim'] ?? null}; expected a text-to-video transformer, with as many channels in as out and no image_dim.`,
    );
  }
  const spatialFactor = wholeNumberOf(vae, 'scale_factor_spatial', 8);
  return {
    folder,
    latentChannels,
    spatialFactor,
    temporalFactor: wholeNumberOf(vae, 'scale_factor_temporal', 4),
    sizeMultiple: spatialFactor * patchSideOf(transformer),
    vae: {
      scalingFactor: 1,
      latentsMean: statisticsOf(vae, 'latents_mean', latentChannels),
      latentsStd: statisticsOf(vae, 'latents_std', latentChannels),
      forceUpcast: false,
    },
    scheduler: parseFlowSchedulerConfig(scheduler),
  };
}

/** Wan 2.2's mixture of two transformers and its image-to-video models are told apart by these keys. */
function assertTextToVideo(index: Record<string, unknown>, folder: string): void {
  const pipeline = String(index['_class_name'] ?? '');
  if (pipeline !== 'WanPipeline') {
    throw new DiffusionError(
      'unsupported',
      `${folder} holds a ${pipeline || 'model of unnamed class'}; expected a WanPipeline.`,
    );
  }
  const key = ['boundary_ratio', 'expand_timesteps'].find((name) => index[name]);
  if (key) {
    throw new DiffusionError(
      'unsupported',
      `${folder}: model_index.json sets ${key}, which Wan 2.2 has; Wan 2.1 is supported.`,
    );
  }
}

function patchSideOf(transformer: Record<string, unknown>): number {
  const patch = transformer['patch_size'] ?? [1, 2, 2];
  if (Array.isArray(patch) && patch.length === 3 && patch[0] === 1 && patch[1] === patch[2]) {
    const side: unknown = patch[1];
    if (typeof side === 'number' && Number.isInteger(side) && side > 0) return side;
  }
  throw new DiffusionError(
    'unsupported',
    `transformer/config.json has patch_size ${JSON.stringify(patch)}; expected [1, n, n].`,
  );
}

/** The VAE's mean or deviation of each latent channel: without them the decoder gives wrong colours, so they must be there. */
function statisticsOf(vae: Record<string, unknown>, key: string, channels: number): readonly number[] {
  const values = vae[key];
  if (
    Array.isArray(values) &&
    values.length === channels &&
    values.every((value) => typeof value === 'number')
  ) {
    return values;
  }
  throw new DiffusionError(
    'model_folder_invalid',
    `vae_decoder/config.json: ${key} is ${JSON.stringify(values)}; expected ${channels} numbers, one for each latent channel.`,
  );
}

function wholeNumberOf(config: Record<string, unknown>, key: string, fallback: number): number {
  const value = config[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw new DiffusionError(
    'model_folder_invalid',
    `config.json: ${key} is ${JSON.stringify(value)}; expected a whole number above 0.`,
  );
}
