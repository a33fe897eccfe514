/** The denoising loop: noise to latents, one UNet call a step, yielding to the event loop in between. */

import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './errors.ts';
import { applyGuidance } from './guidance.ts';
import type { OnnxSession } from './onnx-session.ts';
import type { NoiseGenerator } from './random.ts';
import type { Scheduler, SchedulerStep } from './schedulers/scheduler.ts';
import { concatBatch, type FloatTensor } from './tensor.ts';
import type { PromptEmbeddings } from './text-encoding.ts';

/** Everything that steers the UNet besides the sample and the time. */
export interface Conditioning {
  readonly positive: PromptEmbeddings;
  /** Present when classifier-free guidance runs: the UNet then sees batches of [negative, positive]. */
  readonly negative: PromptEmbeddings | undefined;
  /** [1, 6]; see micro-conditioning.ts. */
  readonly timeIds: FloatTensor;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
}

/** What one image's loop needs. */
export interface DenoiseOptions {
  readonly unet: OnnxSession;
  readonly scheduler: Scheduler;
  readonly conditioning: Conditioning;
  /** The first sample, [1, channels, height, width]: noise times the scheduler's initNoiseSigma. */
  readonly sample: FloatTensor;
  /** The image's random stream, for schedulers that add noise on the way. */
  readonly generator: NoiseGenerator;
  readonly signal: AbortSignal;
  /** Called after each step; the loop waits for it. */
  readonly onStep: (step: SchedulerStep, index: number) => void | Promise<void>;
}

/** Runs the loop and returns the final latents, [1, channels, height, width]. Throws `aborted` within one step of the signal. */
export async function denoise(options: DenoiseOptions): Promise<FloatTensor> {
  const { unet, scheduler, conditioning, signal } = options;
  const { dims } = options.sample;
  const constantFeeds = feedsOf(conditioning);
  const isGuided = conditioning.negative !== undefined;
  let sample = options.sample.data;
  for (const [index, timestep] of scheduler.timesteps.entries()) {
    // session.run holds the thread; this is where an abort, a message or a timer gets its turn.
    await setImmediate();
    throwIfAborted(signal);
    const input = { data: scheduler.scaleModelInput(sample, index), dims };
    const { out_sample: output } = await unet.run(
      {
        ...constantFeeds,
        sample: isGuided ? concatBatch([input, input]) : input,
        timestep: { data: [timestep], dims: [] },
      },
      ['out_sample'],
    );
    const step = scheduler.step(guidedOutput(output.data, conditioning), index, sample, options.generator);
    sample = step.previousSample;
    await options.onStep(step, index);
  }
  return { data: sample, dims };
}

function feedsOf({ positive, negative, timeIds }: Conditioning): Record<string, FloatTensor> {
  const prompts = negative ? [negative, positive] : [positive];
  return {
    encoder_hidden_states: concatBatch(prompts.map((prompt) => prompt.hiddenStates)),
    text_embeds: concatBatch(prompts.map((prompt) => prompt.pooled)),
    time_ids: concatBatch(prompts.map(() => timeIds)),
  };
}

function guidedOutput(output: Float32Array, conditioning: Conditioning): Float32Array {
  if (!conditioning.negative) return output;
  const half = output.length / 2;
  const { guidanceScale, guidanceRescale } = conditioning;
  return applyGuidance(output.subarray(0, half), output.subarray(half), guidanceScale, guidanceRescale);
}
