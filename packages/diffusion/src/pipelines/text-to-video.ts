/** Text to video as diffusers' WanPipeline runs it: from noise over space and time to frames. */

import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../errors.ts';
import { applyGuidance } from '../guidance.ts';
import { cleanPrompt } from '../prompt-cleaning.ts';
import { createNoiseGenerator } from '../random.ts';
import { createFlowScheduler } from '../schedulers/flow-schedulers.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { FloatTensor } from '../tensor.ts';
import { type RgbImage, unscaleLatents } from '../vae.ts';
import { toRgbFrames } from '../video-frames.ts';
import type { WanFolder } from '../wan-folder.ts';
import {
  assertField,
  type GenerationProgress,
  type GenerationResult,
  type TruncatedTokens,
} from './request.ts';
import type { WanModel } from './wan-model.ts';

/** How far a request is, as for pictures; the shape of the latents is [1, channels, frames, height, width]. */
export type VideoProgress = Omit<GenerationProgress, 'imageIndex'>;

/** A video from words; names and meanings as in diffusers. */
export interface TextToVideoRequest {
  readonly prompt: string;
  /** null is the same as "": Wan was trained with the encoding of the empty prompt. */
  readonly negativePrompt: string | null;
  /** Pixels; multiples of config.sizeMultiple. */
  readonly width: number;
  readonly height: number;
  /** A multiple of config.frameStep plus 1, and more than 1. */
  readonly numFrames: number;
  readonly numInferenceSteps: number;
  /** Guidance runs above 1 only. */
  readonly guidanceScale: number;
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Waited for; called at the start of `encode` and `decode` (step 0) and after each step. */
  readonly onProgress?: (progress: VideoProgress) => void | Promise<void>;
}

/** One video. */
export interface VideoResult {
  /** In time, `numFrames` of them. */
  readonly frames: readonly RgbImage[];
  readonly seed: number;
  readonly truncatedTokens: TruncatedTokens;
  /** Milliseconds by phase: encode, denoise, decode, total. */
  readonly timings: GenerationResult['timings'];
}

/** Runs one request on a loaded model; errors as Wan.textToVideo. */
export async function generateTextToVideo(
  model: WanModel,
  request: TextToVideoRequest,
  signal: AbortSignal,
): Promise<VideoResult> {
  throwIfAborted(signal);
  assertVideoRequest(model.folder, request);
  // Made now, so that a bad step count fails before any work.
  const scheduler = createFlowScheduler(model.folder.scheduler, request.numInferenceSteps);
  const startedAt = performance.now();
  await report(request, signal, { phase: 'encode', step: 0, steps: 1 });
  const { states, truncated } = await encodePrompt(model, request.prompt);
  const negative =
    request.guidanceScale > 1 ? await encodePrompt(model, request.negativePrompt ?? '') : undefined;
  await report(request, signal, { phase: 'encode', step: 1, steps: 1 });

  const encodedAt = performance.now();
  const latents = await denoise(model, request, {
    scheduler,
    states,
    negativeStates: negative?.states,
    signal,
  });

  const denoisedAt = performance.now();
  await report(request, signal, { phase: 'decode', step: 0, steps: 1 });
  const unscaled = unscaleLatents(latents, model.folder.vae);
  const decoded = await model.vaeDecoder.run({ latent_sample: unscaled }, ['sample']);
  const frames = toRgbFrames(decoded.sample);
  await report(request, signal, { phase: 'decode', step: 1, steps: 1 });
  const endedAt = performance.now();
  return {
    frames,
    seed: request.seed,
    truncatedTokens: { prompt: truncated, negativePrompt: negative?.truncated ?? 0 },
    timings: {
      encode: encodedAt - startedAt,
      denoise: denoisedAt - encodedAt,
      decode: endedAt - denoisedAt,
      total: endedAt - startedAt,
    },
  };
}

interface DenoiseOptions {
  readonly scheduler: Scheduler;
  /** The encoded prompt, [1, tokens, width]. */
  readonly states: FloatTensor;
  /** Present when classifier-free guidance runs. */
  readonly negativeStates: FloatTensor | undefined;
  readonly signal: AbortSignal;
}

/** The loop from noise to latents, [1, channels, frames, height, width]. */
async function denoise(
  { folder, transformer }: WanModel,
  request: TextToVideoRequest,
  { scheduler, states, negativeStates, signal }: DenoiseOptions,
): Promise<FloatTensor> {
  const generator = createNoiseGenerator(request.seed);
  const dims = latentShape(folder, request);
  const steps = scheduler.timesteps.length;
  let sample = generator.normal(dims.reduce((product, dim) => product * dim));

  async function predict(index: number, encoderStates: FloatTensor): Promise<Float32Array> {
    await breathe(signal);
    const feeds = {
      hidden_states: { data: scheduler.scaleModelInput(sample, index), dims },
      timestep: { data: [scheduler.timesteps[index]!], dims: [1] },
      encoder_hidden_states: encoderStates,
    };
    const { out_hidden_states: velocity } = await transformer.run(feeds, ['out_hidden_states']);
    return velocity.data;
  }

  for (let index = 0; index < steps; index++) {
    const startedAt = performance.now();
    // Two runs of one sample, as in diffusers: a batch of two would need twice the memory.
    const conditional = await predict(index, states);
    const velocity = negativeStates
      ? applyGuidance(await predict(index, negativeStates), conditional, request.guidanceScale, 0)
      : conditional;
    const { previousSample, predictedOriginal } = scheduler.step(velocity, index, sample, generator);
    sample = previousSample;
    await request.onProgress?.({
      phase: 'denoise',
      step: index + 1,
      steps,
      durationMs: performance.now() - startedAt,
      latents: predictedOriginal,
      sample,
      latentsShape: dims,
    });
  }
  return { data: sample, dims };
}

/** The text encoder's last states [1, tokens, width], zero where the prompt has no tokens. */
async function encodePrompt(
  { tokenizer, textEncoder }: WanModel,
  prompt: string,
): Promise<{ states: FloatTensor; truncated: number }> {
  const { ids, length, truncated } = tokenizer.encode(cleanPrompt(prompt));
  const dims = [1, ids.length];
  const mask = ids.map((_, index) => (index < length ? 1 : 0));
  const { last_hidden_state: states } = await textEncoder.run(
    { input_ids: { data: ids, dims }, attention_mask: { data: mask, dims } },
    ['last_hidden_state'],
  );
  const width = states.dims[2]!;
  return { states: { data: states.data.fill(0, length * width), dims: states.dims }, truncated };
}

function latentShape(folder: WanFolder, { width, height, numFrames }: TextToVideoRequest): number[] {
  const { latentChannels, spatialFactor, temporalFactor } = folder;
  const frames = (numFrames - 1) / temporalFactor + 1;
  return [1, latentChannels, frames, height / spatialFactor, width / spatialFactor];
}

/** Throws `invalid_request` naming the field, its value and what was expected. */
function assertVideoRequest(folder: WanFolder, request: TextToVideoRequest): void {
  const { prompt, negativePrompt, guidanceScale, numFrames, seed } = request;
  const { sizeMultiple, temporalFactor } = folder;
  assertField('prompt', prompt, typeof prompt === 'string', 'a string');
  const isNegative = negativePrompt === null || typeof negativePrompt === 'string';
  assertField('negative_prompt', negativePrompt, isNegative, 'a string or null');
  for (const field of ['width', 'height'] as const) {
    const side = request[field];
    const isMultiple = Number.isInteger(side) && side > 0 && side % sizeMultiple === 0;
    assertField(`video_${field}`, side, isMultiple, `a multiple of ${sizeMultiple}`);
  }
  const areFrames = Number.isInteger(numFrames) && numFrames > 1 && numFrames % temporalFactor === 1;
  const expected = `a multiple of ${temporalFactor} plus 1, at least ${temporalFactor + 1}`;
  assertField('num_frames', numFrames, areFrames, expected);
  const isScale = guidanceScale >= 0 && guidanceScale < 1e6;
  assertField('video_guidance_scale', guidanceScale, isScale, 'a number from 0');
  const isSeed = Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32;
  assertField('seed', seed, isSeed, 'a whole number from 0 to 4294967295');
}

/** Tells the listener, then lets aborts and messages in: encoder and decoder hold the thread as the transformer does. */
async function report(
  request: TextToVideoRequest,
  signal: AbortSignal,
  progress: VideoProgress,
): Promise<void> {
  await request.onProgress?.(progress);
  await breathe(signal);
}

/** A run of a graph holds the thread; this is where an abort, a message or a timer gets its turn. */
async function breathe(signal: AbortSignal): Promise<void> {
  await setImmediate();
  throwIfAborted(signal);
}
