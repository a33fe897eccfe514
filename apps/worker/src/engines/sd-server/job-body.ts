/** What the server is asked for: our resolved requests in its words. Nothing is left to its defaults that changes pixels. */
import { ERROR_CODES, type ResolvedImageRequest, type ResolvedVideoRequest } from '@firepod/contract';
import { WorkerError } from '../../errors.ts';
import type { Manifest } from './manifest.ts';
import { SAMPLERS } from './sampling.ts';

/** Pictures as the server takes them: PNG files in base64. */
export interface EncodedSources {
  image: string;
  mask?: string | undefined;
}

/**
 * One picture. A job for each, instead of a batch, gives every picture a seed of our own choosing, also where seeds wrap
 * around, and its answer stays small.
 * @throws WorkerError `invalid_argument` for what the server would do otherwise than asked, without a word
 */
export function imageJobBody(
  request: ResolvedImageRequest,
  seed: number,
  sources: EncodedSources | undefined,
): object {
  const { prompt, negative_prompt, width, height, num_inference_steps, guidance_scale, scheduler } = request;
  const sampler = SAMPLERS[scheduler];
  if (!sampler) {
    throw new WorkerError(
      'invalid_argument',
      `scheduler: ${JSON.stringify(scheduler)} is not allowed; expected one of ${Object.keys(SAMPLERS).join(', ')}.`,
    );
  }
  return {
    prompt,
    negative_prompt: negative_prompt ?? '',
    width,
    height,
    seed,
    batch_count: 1,
    clip_skip: -1,
    sample_params: { ...sampler, sample_steps: num_inference_steps, guidance: { txt_cfg: guidance_scale } },
    ...(request.task_type !== 'text2img' && sourceFields(request, sources)),
    embed_image_metadata: false,
    output_format: 'png',
  };
}

function sourceFields(
  request: Exclude<ResolvedImageRequest, { task_type: 'text2img' }>,
  sources: EncodedSources | undefined,
): object {
  const { task_type, strength, num_inference_steps } = request;
  const steps = stepsOfStrength(strength, num_inference_steps);
  if (!sources || (task_type === 'inpaint' && sources.mask === undefined)) {
    throw new WorkerError('internal', ERROR_CODES.internal.sentence, {
      cause: new Error(`The engine got a request for ${task_type} without its pictures.`),
    });
  }
  if (steps < 1) {
    throw new WorkerError(
      'invalid_argument',
      `strength: ${strength} of ${num_inference_steps} steps is less than one step; expected at least ${1 / num_inference_steps}.`,
    );
  }
  return {
    // The server cuts its share of the steps down to a whole number and runs one more: it gets the middle between two.
    strength: steps === num_inference_steps ? strength : (steps - 0.5) / num_inference_steps,
    init_image: sources.image,
    ...(task_type === 'inpaint' && { mask_image: sources.mask }),
  };
}

/** The steps that a request runs: the last ones of all, as many as its strength leaves, counted as diffusers counts them. */
export function stepsOf(request: ResolvedImageRequest): number {
  return request.task_type === 'text2img'
    ? request.num_inference_steps
    : stepsOfStrength(request.strength, request.num_inference_steps);
}

function stepsOfStrength(strength: number, steps: number): number {
  return Math.min(Math.trunc(steps * strength), steps);
}

/** A video: its frames come in the one container that every build of the server writes. */
export function videoJobBody(request: ResolvedVideoRequest, { server }: Manifest): object {
  const { scheduler = 'discrete', sample_method = 'euler', flow_shift } = server.sampler ?? {};
  return {
    prompt: request.prompt,
    negative_prompt: request.negative_prompt,
    width: request.video_width,
    height: request.video_height,
    seed: request.seed,
    video_frames: request.num_frames,
    fps: request.fps,
    clip_skip: -1,
    sample_params: {
      sample_method,
      scheduler,
      eta: 0,
      ...(flow_shift !== undefined && { flow_shift }),
      sample_steps: request.num_inference_steps,
      guidance: { txt_cfg: request.video_guidance_scale },
    },
    output_format: 'avi',
    output_compression: 100,
  };
}
