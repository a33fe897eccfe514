/** Prompts to SDXL's conditioning: both text encoders, their penultimate states side by side, and the second one's pooled vector. */

import type { ClipTokenizer } from './clip-tokenizer.ts';
import { DiffusionError } from './errors.ts';
import type { OnnxSession } from './onnx-session.ts';
import { concatLastAxis, type FloatTensor, zerosLike } from './tensor.ts';

/** What the UNet is told of one prompt. */
export interface PromptEmbeddings {
  /** [1, tokens, width of all encoders], for cross attention. */
  readonly hiddenStates: FloatTensor;
  /** [1, projection], the UNet's `text_embeds`. */
  readonly pooled: FloatTensor;
  /** The most ids that a tower's tokenizer cut off at the end. */
  readonly truncatedTokens: number;
}

/** One tower: a tokenizer and its graph. */
export interface TextTower {
  readonly tokenizer: ClipTokenizer;
  readonly session: OnnxSession;
}

/**
 * Encodes with [text_encoder, text_encoder_2], or with text_encoder_2 alone for a refiner. `clipSkip` layers are left out beyond
 * the last one, which SDXL never uses.
 */
export async function encodePrompt(
  towers: readonly TextTower[],
  prompt: string,
  clipSkip: number,
): Promise<PromptEmbeddings> {
  const hiddenStates: FloatTensor[] = [];
  let pooled: FloatTensor | undefined;
  let truncatedTokens = 0;
  for (const [index, tower] of towers.entries()) {
    const state = hiddenStateName(tower.session, clipSkip);
    // text_encoder_2's projection of its EOS state is the pooled vector; the first encoder's pooled output is not used.
    const names = index === towers.length - 1 ? [state, 'text_embeds'] : [state];
    const { ids, truncated } = tower.tokenizer.encode(prompt);
    truncatedTokens = Math.max(truncatedTokens, truncated);
    // No attention mask goes with the ids: SDXL attends to its padding.
    const feeds = { input_ids: { data: ids, dims: [1, ids.length] } };
    const outputs = await tower.session.run(feeds, names);
    hiddenStates.push(outputs[state]!);
    pooled = outputs['text_embeds'];
  }
  return { hiddenStates: concatLastAxis(hiddenStates), pooled: pooled!, truncatedTokens };
}

/**
 * The negative side. A null prompt is zeros when the model was trained so (`forceZeros`); an empty one is encoded like any other,
 * and so is null for other models. Layers are never skipped here, as in diffusers.
 */
export async function encodeNegativePrompt(
  towers: readonly TextTower[],
  negativePrompt: string | null,
  positive: PromptEmbeddings,
  forceZeros: boolean,
): Promise<PromptEmbeddings> {
  if (negativePrompt === null && forceZeros) {
    const { hiddenStates, pooled } = positive;
    return { hiddenStates: zerosLike(hiddenStates), pooled: zerosLike(pooled), truncatedTokens: 0 };
  }
  return encodePrompt(towers, negativePrompt ?? '', 0);
}

/** hidden_states.0 is the embedding and .L the last layer of L, so the penultimate one is L - 1. */
function hiddenStateName(session: OnnxSession, clipSkip: number): string {
  const layers = hiddenLayerCount(session);
  if (!Number.isInteger(clipSkip) || clipSkip < 0 || clipSkip >= layers) {
    throw new DiffusionError(
      'invalid_request',
      `clip_skip is ${clipSkip}; expected a whole number from 0 to ${layers - 1} for this model.`,
    );
  }
  return `hidden_states.${layers - 1 - clipSkip}`;
}

/** The number of transformer layers, counted by the graph's own outputs. */
export function hiddenLayerCount(session: OnnxSession): number {
  let count = 0;
  while (session.outputs.has(`hidden_states.${count}`)) count++;
  return count - 1;
}
