/** Fills in what a request left open, from the model card and the contract, and checks what only the card can know. */
import { leastCommonMultiple } from './least-common-multiple.ts';
import * as limits from './limits.ts';
import type { ModelCard } from './model-card.ts';
import { mediaTypeOf, type OutputFormat, type TaskType } from './paths.ts';
import { type Checked, notAllowed, type Problem } from './problem.ts';
import type { ValidRequest } from './request.ts';
import {
  describeFrames,
  describeSize,
  type GenerationRequest,
  SCHEDULERS,
  type Scheduler,
} from './request-fields.ts';

/** Defaults where the card says nothing: SDXL's for images, Wan 2.1's for videos. */
export const DEFAULTS = {
  size_px: 1024,
  num_images: 1,
  num_inference_steps: 25,
  refiner_inference_steps: 50,
  /** How much of the picture a refiner paints again when `high_noise_frac` is null. */
  refiner_strength: 0.3,
  img2img_strength: 0.6,
  inpaint_strength: 1,
  guidance_scale: 7.5,
  scheduler: 'DDIM',
  output_format: 'png',
  num_frames: 81,
  fps: 15,
  video_width: 832,
  video_height: 480,
  video_guidance_scale: 5,
  /** Wan 2.1's own `sample_neg_prompt` (wan/configs/shared_config.py). */
  video_negative_prompt:
    '色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走',
} as const;

interface ResolvedImageFields {
  readonly prompt: string;
  readonly negative_prompt: string | null;
  readonly width: number;
  readonly height: number;
  readonly num_images: number;
  readonly num_inference_steps: number;
  /** Both only where the model has a refiner. */
  readonly refiner_inference_steps?: number;
  readonly high_noise_frac?: number | null;
  readonly guidance_scale: number;
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly output_format: OutputFormat;
}

/** A request for images with nothing left open. */
export type ResolvedImageRequest =
  | (ResolvedImageFields & { readonly task_type: 'text2img' })
  | (ResolvedImageFields & {
      readonly task_type: 'img2img';
      readonly strength: number;
      readonly image_url: string;
    })
  | (ResolvedImageFields & {
      readonly task_type: 'inpaint';
      readonly strength: number;
      readonly image_url: string;
      readonly mask_url: string;
    });

/** A request for a video with nothing left open. */
export interface ResolvedVideoRequest {
  readonly task_type: 'text2video';
  readonly prompt: string;
  readonly negative_prompt: string;
  readonly num_inference_steps: number;
  readonly num_frames: number;
  readonly fps: number;
  readonly video_width: number;
  readonly video_height: number;
  readonly video_guidance_scale: number;
  readonly seed: number;
}

/** What an engine gets. It is again a valid request, and resolving it changes nothing. */
export type ResolvedRequest = ResolvedImageRequest | ResolvedVideoRequest;

/** Every field of the table, loosely: which of them a task has, `valid.task` says. */
type AnyFields = Partial<UnionFields<GenerationRequest>>;
type UnionFields<Union> = { [Key in Union extends unknown ? keyof Union : never]: FieldOf<Union, Key> };
type FieldOf<Union, Key extends PropertyKey> = Union extends unknown
  ? Key extends keyof Union
    ? Union[Key]
    : never
  : never;

/**
 * Resolves a valid request for the model of `card`; with no card only the contract's limits apply. `seed` is used where
 * the request leaves it open: drawn by the function, or `seedFromFileUid` in a worker that was called directly.
 */
export function resolveRequest(
  { request, task }: ValidRequest,
  card: ModelCard | null,
  { seed }: { seed: number },
): Checked<{ readonly request: ResolvedRequest }> {
  const problems: Problem[] = [];
  if (card !== null && !card.tasks.includes(task)) {
    problems.push(notAllowed('task_type', task, `one of ${card.tasks.join(', ')} from ${card.name}`));
  }
  const resolved =
    mediaTypeOf(task) === 'video'
      ? resolveVideo(request, card, seed)
      : resolveImage(request, task, card, seed);
  problems.push(...checkCard(request, resolved, card));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, request: resolved };
}

function resolveVideo(request: AnyFields, card: ModelCard | null, seed: number): ResolvedVideoRequest {
  const defaults = card?.defaults;
  return {
    task_type: 'text2video',
    prompt: request.prompt ?? '',
    negative_prompt: request.negative_prompt ?? defaults?.negative_prompt ?? DEFAULTS.video_negative_prompt,
    num_inference_steps:
      request.num_inference_steps ?? defaults?.num_inference_steps ?? DEFAULTS.num_inference_steps,
    num_frames: request.num_frames ?? defaults?.num_frames ?? DEFAULTS.num_frames,
    fps: request.fps ?? defaults?.fps ?? DEFAULTS.fps,
    video_width:
      request.video_width ?? defaults?.video_width ?? card?.native_size.width ?? DEFAULTS.video_width,
    video_height:
      request.video_height ?? defaults?.video_height ?? card?.native_size.height ?? DEFAULTS.video_height,
    video_guidance_scale:
      request.video_guidance_scale ?? defaults?.video_guidance_scale ?? DEFAULTS.video_guidance_scale,
    seed: request.seed ?? seed,
  };
}

function resolveImage(
  request: AnyFields,
  task: TaskType,
  card: ModelCard | null,
  seed: number,
): ResolvedImageRequest {
  const defaults = card?.defaults;
  const fields: ResolvedImageFields = {
    prompt: request.prompt ?? '',
    negative_prompt: request.negative_prompt ?? defaults?.negative_prompt ?? null,
    width: request.width ?? defaults?.width ?? card?.native_size.width ?? DEFAULTS.size_px,
    height: request.height ?? defaults?.height ?? card?.native_size.height ?? DEFAULTS.size_px,
    num_images: request.num_images ?? DEFAULTS.num_images,
    num_inference_steps:
      request.num_inference_steps ?? defaults?.num_inference_steps ?? DEFAULTS.num_inference_steps,
    ...resolveRefiner(request, card),
    guidance_scale: request.guidance_scale ?? defaults?.guidance_scale ?? DEFAULTS.guidance_scale,
    scheduler: request.scheduler ?? defaults?.scheduler ?? card?.schedulers[0] ?? DEFAULTS.scheduler,
    seed: request.seed ?? seed,
    output_format: request.output_format ?? defaults?.output_format ?? DEFAULTS.output_format,
  };
  const image_url = request.image_url ?? '';
  if (task === 'inpaint') {
    const strength = request.strength ?? DEFAULTS.inpaint_strength;
    return { task_type: task, ...fields, strength, image_url, mask_url: request.mask_url ?? '' };
  }
  if (task === 'img2img') {
    return { task_type: task, ...fields, strength: request.strength ?? DEFAULTS.img2img_strength, image_url };
  }
  return { task_type: 'text2img', ...fields };
}

function resolveRefiner(
  request: AnyFields,
  card: ModelCard | null,
): Pick<ResolvedImageFields, 'refiner_inference_steps' | 'high_noise_frac'> {
  if (!card?.has_refiner) return {};
  return {
    refiner_inference_steps: request.refiner_inference_steps ?? DEFAULTS.refiner_inference_steps,
    high_noise_frac: request.high_noise_frac ?? null,
  };
}

/** The rules that depend on the model: narrower limits, its multiples, its samplers, its refiner. */
function checkCard(request: AnyFields, resolved: ResolvedRequest, card: ModelCard | null): Problem[] {
  const problems: Problem[] = [];
  const cardLimits = card?.limits ?? {};
  const expect = (isGood: boolean, field: string, value: unknown, expected: string) => {
    if (!isGood) problems.push(notAllowed(field, value, expected));
  };

  const multiple = leastCommonMultiple(limits.SIZE_MULTIPLE_PX, card?.size_multiple ?? 1);
  const minimum = Math.max(limits.SIZE_MIN_PX, cardLimits.min_size ?? 0);
  const maximum = Math.min(limits.SIZE_MAX_PX, cardLimits.max_size ?? limits.SIZE_MAX_PX);
  const isSize = (value: number) => value >= minimum && value <= maximum && value % multiple === 0;
  const sizes =
    resolved.task_type === 'text2video'
      ? ({ video_width: resolved.video_width, video_height: resolved.video_height } as const)
      : ({ width: resolved.width, height: resolved.height } as const);
  for (const [field, value] of Object.entries(sizes)) {
    expect(isSize(value), field, value, describeSize(multiple, minimum, maximum));
  }
  const [[widthField, width], [heightField, height]] = Object.entries(sizes) as [
    [string, number],
    [string, number],
  ];
  const pixelsMax = Math.min(limits.PIXELS_MAX, cardLimits.max_pixels ?? limits.PIXELS_MAX);
  const area = `${widthField} × ${heightField} of at most ${pixelsMax} pixels`;
  const areSizes = isSize(width) && isSize(height);
  expect(
    !areSizes || width * height <= pixelsMax,
    widthField,
    width,
    `${area} (${heightField} is ${height})`,
  );

  const stepsMax = Math.min(limits.STEPS_MAX, cardLimits.max_steps ?? limits.STEPS_MAX);
  const steps = resolved.num_inference_steps;
  expect(steps <= stepsMax, 'num_inference_steps', steps, `a whole number from 1 to ${stepsMax}`);

  if (resolved.task_type === 'text2video') {
    const framesMax = Math.min(limits.FRAMES_MAX, cardLimits.max_frames ?? limits.FRAMES_MAX);
    const step = leastCommonMultiple(limits.FRAME_STEP, card?.frame_step ?? 1);
    const frames = resolved.num_frames;
    const isGood = frames >= limits.FRAMES_MIN && frames <= framesMax && (frames - 1) % step === 0;
    expect(isGood, 'num_frames', frames, describeFrames(step, framesMax));
    return problems;
  }

  const imagesMax = Math.min(limits.IMAGES_MAX, cardLimits.max_images ?? limits.IMAGES_MAX);
  const count = resolved.num_images;
  expect(count <= imagesMax, 'num_images', count, `a whole number from 1 to ${imagesMax}`);
  const schedulers = card !== null && card.schedulers.length > 0 ? card.schedulers : SCHEDULERS;
  const { scheduler } = resolved;
  expect(schedulers.includes(scheduler), 'scheduler', scheduler, `one of ${schedulers.join(', ')}`);
  if (card !== null && !card.has_refiner) {
    const expected = `nothing, because ${card.name} has no refiner`;
    for (const field of ['refiner_inference_steps', 'high_noise_frac'] as const) {
      expect((request[field] ?? null) === null, field, request[field], expected);
    }
  }
  return problems;
}
