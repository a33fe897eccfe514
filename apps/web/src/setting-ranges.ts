/** What each number field may hold, and what it means when it is left empty: the contract's limits, narrowed by the model's card. */
import {
  DEFAULTS,
  FPS_MAX,
  FRAME_STEP,
  FRAMES_MAX,
  FRAMES_MIN,
  GUIDANCE_SCALE_MAX,
  IMAGES_MAX,
  leastCommonMultiple,
  type ModelCard,
  SEED_MAX,
  SIZE_MAX_PX,
  SIZE_MIN_PX,
  SIZE_MULTIPLE_PX,
  STEPS_MAX,
  VIDEO_GUIDANCE_SCALE_MAX,
} from '@firepod/contract';
import type { DraftField } from './request-draft.ts';

/** The number fields behind "Settings". */
export type NumberField = Exclude<DraftField, 'prompt' | 'negative_prompt' | 'scheduler' | 'strength'>;

/** What a number field may hold and holds when it is left empty, as far as the model card and the contract know. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly fallback: number | undefined;
}

/** The ranges for the model of `card`. */
export function rangesOf(card: ModelCard | undefined): Record<NumberField, NumberRange> {
  const { defaults, limits, native_size } = card ?? {};
  const multiple = leastCommonMultiple(SIZE_MULTIPLE_PX, card?.size_multiple ?? 1);
  const size = {
    min: Math.ceil(Math.max(SIZE_MIN_PX, limits?.min_size ?? 0) / multiple) * multiple,
    max: Math.floor(upTo(SIZE_MAX_PX, limits?.max_size) / multiple) * multiple,
    step: multiple,
  };
  const guidance = (max: number, fallback: number | undefined) => ({ min: 0, max, step: 0.5, fallback });
  return {
    width: { ...size, fallback: defaults?.width ?? native_size?.width },
    height: { ...size, fallback: defaults?.height ?? native_size?.height },
    num_images: { min: 1, max: upTo(IMAGES_MAX, limits?.max_images), step: 1, fallback: DEFAULTS.num_images },
    num_inference_steps: {
      min: 1,
      max: upTo(STEPS_MAX, limits?.max_steps),
      step: 1,
      fallback: defaults?.num_inference_steps,
    },
    guidance_scale: guidance(GUIDANCE_SCALE_MAX, defaults?.guidance_scale),
    seed: { min: 0, max: SEED_MAX, step: 1, fallback: undefined },
    num_frames: framesOf(card),
    fps: { min: 1, max: FPS_MAX, step: 1, fallback: defaults?.fps ?? DEFAULTS.fps },
    video_width: { ...size, fallback: defaults?.video_width ?? native_size?.width },
    video_height: { ...size, fallback: defaults?.video_height ?? native_size?.height },
    video_guidance_scale: guidance(VIDEO_GUIDANCE_SCALE_MAX, defaults?.video_guidance_scale),
  };
}

/** The contract's range of `strength` in steps that can be seen, with its default for the whole picture or a part of it. */
export function strengthRange(isPart: boolean): NumberRange {
  const fallback = isPart ? DEFAULTS.inpaint_strength : DEFAULTS.img2img_strength;
  return { min: 0.05, max: 1, step: 0.05, fallback };
}

/** Seconds that a video lasts; undefined while a field holds something else than a number. */
export function durationSeconds(
  card: ModelCard | undefined,
  frames: string | number,
  fps: string | number,
): number | undefined {
  const ranges = rangesOf(card);
  const count = Number(frames === '' ? ranges.num_frames.fallback : frames);
  const rate = Number(fps === '' ? ranges.fps.fallback : fps);
  return count > 0 && rate > 0 ? count / rate : undefined;
}

/** A multiple of the step, plus the first frame, which a video model's VAE keeps by itself. */
function framesOf(card: ModelCard | undefined): NumberRange {
  const step = leastCommonMultiple(FRAME_STEP, card?.frame_step ?? 1);
  const most = upTo(FRAMES_MAX, card?.limits.max_frames);
  return {
    min: Math.ceil((FRAMES_MIN - 1) / step) * step + 1,
    max: Math.floor((most - 1) / step) * step + 1,
    step,
    fallback: card?.defaults.num_frames ?? DEFAULTS.num_frames,
  };
}

function upTo(maximum: number, ofCard = maximum): number {
  return Math.min(maximum, ofCard);
}
