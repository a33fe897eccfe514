/** Opens the graphs and tokenizers of an SDXL folder and checks that they are what the pipelines expect. */

import { join } from 'node:path';
import { createClipTokenizer } from '../clip-tokenizer.ts';
import { DiffusionError } from '../errors.ts';
import { assertGraphSignature, type GraphSignature } from '../graph-signature.ts';
import type { DiffusionLogger } from '../logger.ts';
import { type ModelFolder, type ModelPart, readModelFolder } from '../model-folder.ts';
import {
  type ExecutionProvider,
  type OnnxSession,
  openOnnxSession,
  probeExecutionProviders,
} from '../onnx-session.ts';
import { hiddenLayerCount, type TextTower } from '../text-encoding.ts';
import { readTokenizerFolder } from '../tokenizer-files.ts';

/** Where the model is and how it runs. */
export interface LoadOptions {
  /** A folder in the diffusers ONNX layout, as optimum exports it: a base model, an inpainting model or a refiner. */
  readonly folder: string;
  /** The folder of a refiner that finishes this model's pictures; its VAE is not loaded, the base model's serves both. */
  readonly refinerFolder?: string;
  /** Threads within an operator; absent or 0: one per physical core. */
  readonly threads?: number;
  /** In order of preference; absent: the CPU. One that cannot load is an error, never a silent fallback. */
  readonly executionProviders?: readonly ExecutionProvider[];
  readonly logger?: DiffusionLogger;
}

/** What turns noise into latents: the text encoders and the UNet of one folder. */
export interface Denoiser {
  readonly folder: ModelFolder;
  readonly towers: readonly TextTower[];
  readonly unet: OnnxSession;
}

/** A model in memory. */
export interface StableDiffusionXlModel extends Denoiser {
  readonly vaeDecoder: OnnxSession;
  /** Absent where the folder has none; then only text2img works. */
  readonly vaeEncoder: OnnxSession | undefined;
  readonly refiner: Denoiser | undefined;
  release(): Promise<void>;
}

/** By optimum's names. */
const GRAPHS: Record<ModelPart, GraphSignature> = {
  text_encoder: { inputs: ['input_ids'], outputs: ['hidden_states.0'] },
  text_encoder_2: { inputs: ['input_ids'], outputs: ['text_embeds', 'hidden_states.0'] },
  unet: {
    inputs: ['sample', 'timestep', 'encoder_hidden_states', 'text_embeds', 'time_ids'],
    outputs: ['out_sample'],
  },
  vae_decoder: { inputs: ['latent_sample'], outputs: ['sample'] },
  // The second is the name in exports that sample inside the graph.
  vae_encoder: { inputs: ['sample'], outputs: [['latent_parameters', 'latent_sample']] },
};

/** Loads a folder; whatever was opened before a failure is released. Errors as loadStableDiffusionXl. */
export async function loadStableDiffusionXlModel(options: LoadOptions): Promise<StableDiffusionXlModel> {
  const { logger, executionProviders = ['cpu'] } = options;
  const folder = await readModelFolder(options.folder);
  const refinerFolder = options.refinerFolder
    ? await readRefinerFolder(options.refinerFolder, folder)
    : undefined;
  await probeExecutionProviders(executionProviders);

  const sessions: OnnxSession[] = [];
  const release = async () => {
    for (const session of sessions.splice(0)) await session.release();
  };

  async function openPart(owner: ModelFolder, part: ModelPart): Promise<OnnxSession> {
    const startedAt = performance.now();
    const label = `${part}/model.onnx`;
    const session = await openOnnxSession(join(owner.folder, part, 'model.onnx'), label, {
      threads: options.threads,
      executionProviders,
    });
    sessions.push(session);
    assertGraph(session, part, label);
    logger?.debug({ part, durationMs: Math.round(performance.now() - startedAt) }, 'graph loaded');
    return session;
  }

  async function openDenoiser(owner: ModelFolder): Promise<Denoiser> {
    const towers: TextTower[] = [];
    for (const part of owner.textEncoders) {
      const files = await readTokenizerFolder(
        join(owner.folder, part.replace('text_encoder', 'tokenizer')),
        owner.maxPositions.get(part)!,
      );
      towers.push({ tokenizer: createClipTokenizer(files), session: await openPart(owner, part) });
    }
    return { folder: owner, towers, unet: await openPart(owner, 'unet') };
  }

  try {
    const denoiser = await openDenoiser(folder);
    const vaeDecoder = await openPart(folder, 'vae_decoder');
    const vaeEncoder = folder.hasVaeEncoder ? await openPart(folder, 'vae_encoder') : undefined;
    if (folder.vae.forceUpcast && vaeDecoder.inputs.get('latent_sample')?.type === 'float16') {
      logger?.warn(
        { folder: folder.folder },
        'the VAE has force_upcast but a float16 graph: it may overflow to black or NaN',
      );
    }
    const refiner = refinerFolder ? await openDenoiser(refinerFolder) : undefined;
    return { ...denoiser, vaeDecoder, vaeEncoder, refiner, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function readRefinerFolder(path: string, base: ModelFolder): Promise<ModelFolder> {
  const refiner = await readModelFolder(path, { as: 'refiner' });
  if (refiner.isInpaintingUnet || refiner.latentChannels !== base.latentChannels) {
    throw new DiffusionError(
      'unsupported',
      `${path} cannot refine the pictures of ${base.folder}: its UNet takes other latents.`,
    );
  }
  return refiner;
}

function assertGraph(session: OnnxSession, part: ModelPart, label: string): void {
  assertGraphSignature(session, label, GRAPHS[part], 'an SDXL pipeline');
  if (GRAPHS[part].outputs.includes('hidden_states.0') && hiddenLayerCount(session) < 1) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${label} has no output hidden_states.1; export it with all hidden states.`,
    );
  }
}
