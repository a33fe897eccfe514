/** Opens the graphs and the tokenizer of a Wan folder and checks that they are what the pipeline expects. */

import { join } from 'node:path';
import { assertGraphSignature, type GraphSignature } from '../graph-signature.ts';
import { type OnnxSession, openOnnxSession, probeExecutionProviders } from '../onnx-session.ts';
import { createT5Tokenizer, type T5Tokenizer } from '../unigram/t5-tokenizer.ts';
import { readT5TokenizerFolder, WAN_PROMPT_TOKENS } from '../unigram/t5-tokenizer-files.ts';
import { readWanFolder, type WanFolder, type WanPart } from '../wan-folder.ts';
import type { LoadOptions } from './stable-diffusion-xl-model.ts';

/** Where the model is and how it runs; a video model has no refiner. */
export type WanLoadOptions = Omit<LoadOptions, 'refinerFolder'>;

/** A video model in memory. */
export interface WanModel {
  readonly folder: WanFolder;
  readonly tokenizer: T5Tokenizer;
  readonly textEncoder: OnnxSession;
  readonly transformer: OnnxSession;
  readonly vaeDecoder: OnnxSession;
  release(): Promise<void>;
}

/** The inputs and outputs that the pipeline uses. */
const GRAPHS: Record<WanPart, GraphSignature> = {
  text_encoder: { inputs: ['input_ids', 'attention_mask'], outputs: ['last_hidden_state'] },
  transformer: {
    inputs: ['hidden_states', 'timestep', 'encoder_hidden_states'],
    outputs: ['out_hidden_states'],
  },
  vae_decoder: { inputs: ['latent_sample'], outputs: ['sample'] },
};

/** Loads a folder; whatever was opened before a failure is released. Errors as loadWan. */
export async function loadWanModel(options: WanLoadOptions): Promise<WanModel> {
  const { logger, threads, executionProviders = ['cpu'] } = options;
  const folder = await readWanFolder(options.folder);
  const tokenizer = createT5Tokenizer(
    await readT5TokenizerFolder(join(folder.folder, 'tokenizer'), WAN_PROMPT_TOKENS),
  );
  await probeExecutionProviders(executionProviders);

  const sessions: OnnxSession[] = [];
  const release = async () => {
    for (const session of sessions.splice(0)) await session.release();
  };

  async function openPart(part: WanPart): Promise<OnnxSession> {
    const startedAt = performance.now();
    const label = `${part}/model.onnx`;
    const path = join(folder.folder, part, 'model.onnx');
    const session = await openOnnxSession(path, label, { threads, executionProviders });
    sessions.push(session);
    assertGraphSignature(session, label, GRAPHS[part], 'a Wan pipeline');
    logger?.debug({ part, durationMs: Math.round(performance.now() - startedAt) }, 'graph loaded');
    return session;
  }

  try {
    const textEncoder = await openPart('text_encoder');
    const transformer = await openPart('transformer');
    const vaeDecoder = await openPart('vae_decoder');
    return { folder, tokenizer, textEncoder, transformer, vaeDecoder, release };
  } catch (error) {
    await release();
    throw error;
  }
}
