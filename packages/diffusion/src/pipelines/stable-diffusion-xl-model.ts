/** Opens the four graphs and two tokenizers of an SDXL folder and checks that they are what the pipeline expects. */

import { join } from 'node:path';
import { createClipTokenizer } from '../clip-tokenizer.ts';
import { DiffusionError } from '../errors.ts';
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
  /** A folder in the diffusers ONNX layout, as optimum exports it. */
  readonly folder: string;
  /** Threads within an operator; absent or 0: one per physical core. */
  readonly threads?: number;
  /** In order of preference; absent: the CPU. One that cannot load is an error, never a silent fallback. */
  readonly executionProviders?: readonly ExecutionProvider[];
  readonly logger?: DiffusionLogger;
}

/** A model in memory. */
export interface StableDiffusionXlModel {
  readonly folder: ModelFolder;
  readonly towers: readonly [TextTower, TextTower];
  readonly unet: OnnxSession;
  readonly vaeDecoder: OnnxSession;
  release(): Promise<void>;
}

/** The inputs and outputs that the pipeline uses, by optimum's names. */
const GRAPHS: Record<ModelPart, { inputs: string[]; outputs: string[] }> = {
  text_encoder: { inputs: ['input_ids'], outputs: ['hidden_states.0'] },
  text_encoder_2: { inputs: ['input_ids'], outputs: ['text_embeds', 'hidden_states.0'] },
  unet: {
    inputs: ['sample', 'timestep', 'encoder_hidden_states', 'text_embeds', 'time_ids'],
    outputs: ['out_sample'],
  },
  vae_decoder: { inputs: ['latent_sample'], outputs: ['sample'] },
};

/** Loads a folder; whatever was opened before a failure is released. Errors as loadStableDiffusionXl. */
export async function loadStableDiffusionXlModel(options: LoadOptions): Promise<StableDiffusionXlModel> {
  const { logger, executionProviders = ['cpu'] } = options;
  const folder = await readModelFolder(options.folder);
  const tokenizer = await loadTokenizer(folder, 'tokenizer', 'text_encoder');
  const tokenizer2 = await loadTokenizer(folder, 'tokenizer_2', 'text_encoder_2');
  await probeExecutionProviders(executionProviders);

  const sessions: OnnxSession[] = [];
  const release = async () => {
    for (const session of sessions.splice(0)) await session.release();
  };
  async function openPart(part: ModelPart): Promise<OnnxSession> {
    const startedAt = performance.now();
    const label = `${part}/model.onnx`;
    const session = await openOnnxSession(join(folder.folder, part, 'model.onnx'), label, {
      threads: options.threads,
      executionProviders,
    });
    sessions.push(session);
    assertGraph(session, part, label);
    logger?.debug({ part, durationMs: Math.round(performance.now() - startedAt) }, 'graph loaded');
    return session;
  }

  try {
    const towers = [
      { tokenizer, session: await openPart('text_encoder') },
      { tokenizer: tokenizer2, session: await openPart('text_encoder_2') },
    ] as const;
    const unet = await openPart('unet');
    const vaeDecoder = await openPart('vae_decoder');
    if (folder.vae.forceUpcast && vaeDecoder.inputs.get('latent_sample')?.type === 'float16') {
      logger?.warn(
        { folder: folder.folder },
        'the VAE has force_upcast but a float16 graph: it may overflow to black or NaN',
      );
    }
    return { folder, towers, unet, vaeDecoder, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function loadTokenizer(folder: ModelFolder, name: string, encoder: 'text_encoder' | 'text_encoder_2') {
  return createClipTokenizer(
    await readTokenizerFolder(join(folder.folder, name), folder.maxPositions[encoder]),
  );
}

function assertGraph(session: OnnxSession, part: ModelPart, label: string): void {
  const { inputs, outputs } = GRAPHS[part];
  const lacking = [
    ...inputs.filter((name) => !session.inputs.has(name)).map((name) => `the input ${name}`),
    ...outputs.filter((name) => !session.outputs.has(name)).map((name) => `the output ${name}`),
  ];
  if (lacking.length > 0) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${label} lacks ${lacking.join(' and ')}; it has inputs ${[...session.inputs.keys()].join(', ')} and outputs ${[...session.outputs.keys()].join(', ')}.`,
    );
  }
  const unknown = [...session.inputs.keys()].find((name) => !inputs.includes(name));
  if (unknown) {
    throw new DiffusionError(
      'unsupported',
      `${label} needs the input ${unknown}, which an SDXL pipeline does not have.`,
    );
  }
  if (outputs.includes('hidden_states.0') && hiddenLayerCount(session) < 1) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${label} has no output hidden_states.1; export it with all hidden states.`,
    );
  }
}
