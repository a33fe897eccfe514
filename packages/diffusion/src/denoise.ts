/** The denoising loop: noise to latents, one UNet call a step, yielding to the event loop in between. */

import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './errors.ts';
import { applyGuidance } from './guidance.ts';
import type { OnnxSession } from './onnx-session.ts';
import type { NoiseGenerator } from './random.ts';
import type { Scheduler, SchedulerStep } from './schedulers/scheduler.ts';
import { concatBatch, concatChannels, type FloatTensor } from './tensor.ts';
import type { PromptEmbeddings } from './text-encoding.ts';
import type { TimestepRange } from './timestep-range.ts';

/** One prompt as the UNet is told of it. */
interface PromptConditioning extends PromptEmbeddings {
  /** [1, 6] or, for a refiner, [1, 5]; see micro-conditioning.ts. */
  readonly timeIds: FloatTensor;
}

/** Everything that steers the UNet besides the sample and the time. */
export interface Conditioning {
  readonly positive: PromptConditioning;
  /** Present when classifier-free guidance runs: the UNet then sees batches of [negative, positive]. */
  readonly negative: PromptConditioning | undefined;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
}

/** Where one image's loop starts, and what a task adds to it. */
export interface DenoiseStart {
  /** The first sample, [1, channels, height, width], at the noise level of the range's first call. */
  readonly sample: FloatTensor;
  /** [1, n, height, width]: channels that the UNet sees behind the (scaled) sample: mask and masked picture of inpainting UNets. */
  readonly extraChannels?: FloatTensor;
  /** Changes the sample after a step; `nextIndex` is the UNet call that comes next, null after the last one. */
  readonly blend?: (sample: Float32Array, nextIndex: number | null) => Float32Array;
}

/** What one image's loop needs. */
export interface DenoiseOptions {
  readonly unet: OnnxSession;
  readonly scheduler: Scheduler;
  readonly range: TimestepRange;
  readonly conditioning: Conditioning;
  readonly start: DenoiseStart;
  /** The image's random stream, for schedulers that add noise on the way. */
  readonly generator: NoiseGenerator;
  readonly signal: AbortSignal;
  /** Called after each step with its duration in milliseconds; the loop waits for it. */
  readonly onStep: (step: SchedulerStep, durationMs: number) => void | Promise<void>;
}

/** Runs the loop and returns the final latents, [1, channels, height, width]. Throws `aborted` within one step of the signal. */
export async function denoise(options: DenoiseOptions): Promise<FloatTensor> {
  const { unet, scheduler, range, conditioning, start, generator, signal } = options;
  const { dims } = start.sample;
  const constantFeeds = feedsOf(conditioning);
  const isGuided = conditioning.negative !== undefined;
  let sample = start.sample.data;
  for (let index = range.first; index < range.end; index++) {
    // session.run holds the thread; this is where an abort, a message or a timer gets its turn.
    await setImmediate();
    throwIfAborted(signal);
    const startedAt = performance.now();
    const scaled = { data: scheduler.scaleModelInput(sample, index), dims };
    const input = start.extraChannels ? concatChannels([scaled, start.extraChannels]) : scaled;
    const { out_sample: output } = await unet.run(
      {
        ...constantFeeds,
        sample: isGuided ? concatBatch([input, input]) : input,
        timestep: { data: [scheduler.timesteps[index]!], dims: [] },
      },
      ['out_sample'],
    );
    const step = scheduler.step(guidedOutput(output.data, conditioning), index, sample, generator);
    const nextIndex = index + 1 < range.end ? index + 1 : null;
    if (start.blend) step.previousSample = start.blend(step.previousSample, nextIndex);
    sample = step.previousSample;
    await options.onStep(step, performance.now() - startedAt);
  }
  return { data: sample, dims };
}

function feedsOf({ positive, negative }: Conditioning): Record<string, FloatTensor> {
  const prompts = negative ? [negative, positive] : [positive];
  return {
    encoder_hidden_states: concatBatch(prompts.map((prompt) => prompt.hiddenStates)),
    text_embeds: concatBatch(prompts.map((prompt) => prompt.pooled)),
    time_ids: concatBatch(prompts.map((prompt) => prompt.timeIds)),
  };
}

function guidedOutput(output: Float32Array, conditioning: Conditioning): Float32Array {
  if (!conditioning.negative) return output;
  const half = output.length / 2;
  const { guidanceScale, guidanceRescale } = conditioning;
  return applyGuidance(output.subarray(0, half), output.subarray(half), guidanceScale, guidanceRescale);
}
