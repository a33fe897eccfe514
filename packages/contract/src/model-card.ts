/** The model card: what one model can do, its sizes, defaults and limits. `model_card.json` beside the weights. */
import { z } from 'zod';
import { OUTPUT_FORMATS, TASK_TYPES } from './paths.ts';
import { SCHEDULERS } from './request-fields.ts';

const px = z.int().positive();
const names = z.array(z.string());

/** Keys that we do not know are kept: a newer card is still a card. */
export const modelCardSchema = z.looseObject({
  /** Document id in `firepod_models`. */
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  name: z.string().min(1),
  version: z.string().min(1),
  tasks: z.array(z.enum(TASK_TYPES)).min(1),
  /** The size that the model was trained at: the default of `width` and `height`. */
  native_size: z.object({ width: px, height: px }),
  /** Widths and heights are multiples of this and of 8. */
  size_multiple: px,
  /** Video frames are a multiple of this plus 1; null for models that make no videos. */
  frame_step: px.nullable().default(null),
  /** Whether a second model finishes the picture (`refiner_inference_steps`, `high_noise_frac`). */
  has_refiner: z.boolean().default(false),
  /** What is used where a request says nothing; what is absent comes from `native_size` and the contract. */
  defaults: z.looseObject({
    width: px.optional(),
    height: px.optional(),
    num_inference_steps: px.optional(),
    guidance_scale: z.number().optional(),
    scheduler: z.enum(SCHEDULERS).optional(),
    output_format: z.enum(OUTPUT_FORMATS).optional(),
    negative_prompt: z.string().nullable().optional(),
    num_frames: px.optional(),
    fps: px.optional(),
    video_width: px.optional(),
    video_height: px.optional(),
    video_guidance_scale: z.number().optional(),
  }),
  /** These narrow the contract's limits and never widen them. */
  limits: z
    .looseObject({
      min_size: px.optional(),
      max_size: px.optional(),
      max_pixels: px.optional(),
      max_images: px.optional(),
      max_steps: px.optional(),
      max_frames: px.optional(),
    })
    .default({}),
  /** Samplers that the model works with; empty where it has no choice. */
  schedulers: z.array(z.enum(SCHEDULERS)).default([]),
  /** The words a small model knows, for the studio's hints. */
  vocabulary: z
    .looseObject({
      subjects: names.default([]),
      backgrounds: names.default([]),
      positions: names.default([]),
      sizes: names.default([]),
      motions: names.default([]),
      words: names.default([]),
    })
    .optional(),
  /** Makes a rough RGB picture of latents: `rgb = latents · rgb_factors + bias`, a row for each latent channel. */
  preview: z
    .looseObject({
      rgb_factors: z.array(z.array(z.number()).length(3)).min(1),
      bias: z.array(z.number()).length(3),
    })
    .optional(),
  licence: z.string(),
  /** How it was trained, in whatever shape tells it best. */
  training: z.looseObject({}).optional(),
  /** What it cannot do, a sentence each. */
  cannot: names.default([]),
});

/** A model card as the code uses it, with every default filled in. */
export type ModelCard = z.output<typeof modelCardSchema>;

/**
 * The card as `firepod_models/{id}` holds it: without `preview` (Firestore keeps no arrays in arrays, and browsers do
 * not decode latents) and `training` (free, so it may hold such arrays too).
 */
export function publishedModelCard(card: ModelCard): Omit<ModelCard, 'preview' | 'training'> {
  const { preview: _preview, training: _training, ...published } = card;
  return published;
}
