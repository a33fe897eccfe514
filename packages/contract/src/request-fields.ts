/** The request table: each field's rule and its words, and the fields that belong to each task. */
import { z } from 'zod';
import * as limits from './limits.ts';
import { OUTPUT_FORMATS, TASK_TYPES, type TaskType } from './paths.ts';

/** Samplers by the names that the field writes. */
export const SCHEDULERS = [
  'DDIM',
  'PNDM',
  'KLMS',
  'K_EULER',
  'K_EULER_ANCESTRAL',
  'DPMSolverMultistep',
  'DPMSolverSinglestep',
] as const;
/** One of the samplers. */
export type Scheduler = (typeof SCHEDULERS)[number];

/**
 * Line breaks and tabs are allowed, because people paste prompts of several lines and every tokenizer reads them as
 * spaces. Other control characters and lone surrogates are refused: neither PNG texts nor Firestore can keep them.
 */
const UNSTORABLE = /[^\P{Cc}\t\n\r]|\p{Cs}/u;

/** Text of at most `maximum` characters as people count them (code points), not UTF-16 units. */
function text(minimum: number, maximum: number, description: string) {
  return z
    .string()
    .refine((value) => {
      if (value.length > 2 * maximum) return false;
      return [...value].length <= maximum && !UNSTORABLE.test(value) && value.trim().length >= minimum;
    })
    .meta({ description, minLength: minimum, maxLength: maximum });
}

function integer(minimum: number, maximum: number) {
  return z.int().min(minimum).max(maximum).describe(`a whole number from ${minimum} to ${maximum}`);
}

function number(minimum: number, maximum: number) {
  return z.number().min(minimum).max(maximum).describe(`a number from ${minimum} to ${maximum}`);
}

function oneOf<const Values extends readonly string[]>(values: Values) {
  return z.enum(values).describe(`one of ${values.join(', ')}`);
}

/** In words, which sizes are allowed; the model card may narrow them. */
export function describeSize(multiplePx: number, minimumPx: number, maximumPx: number): string {
  return `a multiple of ${multiplePx} between ${minimumPx} and ${maximumPx}`;
}

const size = z
  .int()
  .min(limits.SIZE_MIN_PX)
  .max(limits.SIZE_MAX_PX)
  .multipleOf(limits.SIZE_MULTIPLE_PX)
  .describe(describeSize(limits.SIZE_MULTIPLE_PX, limits.SIZE_MIN_PX, limits.SIZE_MAX_PX));

/** In words, how many frames are allowed; the model card may narrow them. */
export function describeFrames(step: number, maximum: number): string {
  return `a multiple of ${step} plus 1, from ${limits.FRAMES_MIN} to ${maximum}`;
}

const DATA_URL = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
const CONTROL_OR_SPACE = /[\s\p{Cc}]/u;

/** Whether `value` has the shape of a source; whose it is, where it may lie and how long it may be, the doors know. */
function isSourceUrl(value: string): boolean {
  if (value.startsWith('data:'))
    return value.length <= limits.DATA_URL_MAX_CHARACTERS && DATA_URL.test(value);
  if (value.length > limits.URL_MAX_CHARACTERS) return false;
  if (value.startsWith('gs://')) return /^gs:\/\/[^/]+\/generating\/[^/]+\/source\/[^/]+$/u.test(value);
  return /^https?:\/\//.test(value) && !CONTROL_OR_SPACE.test(value) && URL.canParse(value);
}

const sourceUrl = z
  .string()
  .refine(isSourceUrl)
  .describe(
    'an https address, gs://{bucket}/generating/{user_id}/source/{name} or a base64 data URL of a PNG, JPEG or WebP image',
  );

/** For every task. */
const everyTask = {
  task_type: oneOf(TASK_TYPES).optional(),
  prompt: text(
    1,
    limits.PROMPT_MAX_CHARACTERS,
    `text of 1 to ${limits.PROMPT_MAX_CHARACTERS} characters without control characters`,
  ),
  negative_prompt: text(
    0,
    limits.PROMPT_MAX_CHARACTERS,
    `null or text of at most ${limits.PROMPT_MAX_CHARACTERS} characters without control characters`,
  )
    .nullable()
    .optional(),
  num_inference_steps: integer(1, limits.STEPS_MAX).optional(),
  seed: integer(0, limits.SEED_MAX)
    .nullable()
    .describe(`null or a whole number from 0 to ${limits.SEED_MAX}`)
    .optional(),
};

/** For every task that makes images. */
const imageTasks = {
  width: size.optional(),
  height: size.optional(),
  num_images: integer(1, limits.IMAGES_MAX).optional(),
  refiner_inference_steps: integer(1, limits.STEPS_MAX).optional(),
  high_noise_frac: number(0, 1).nullable().describe('null or a number from 0 to 1').optional(),
  guidance_scale: number(0, limits.GUIDANCE_SCALE_MAX).optional(),
  scheduler: oneOf(SCHEDULERS).optional(),
  output_format: oneOf(OUTPUT_FORMATS).optional(),
};

const strength = z.number().gt(0).max(1).describe('a number above 0 and at most 1').optional();

const videoTasks = {
  num_frames: z
    .int()
    .min(limits.FRAMES_MIN)
    .max(limits.FRAMES_MAX)
    .refine((frames) => (frames - 1) % limits.FRAME_STEP === 0)
    .describe(describeFrames(limits.FRAME_STEP, limits.FRAMES_MAX))
    .optional(),
  fps: integer(1, limits.FPS_MAX).optional(),
  video_width: size.optional(),
  video_height: size.optional(),
  video_guidance_scale: number(0, limits.VIDEO_GUIDANCE_SCALE_MAX).optional(),
};

/** The request of each task: strict objects, so `z.toJSONSchema` of them is the table for other languages. */
export const REQUEST_SCHEMAS = {
  text2img: z.strictObject({ ...everyTask, ...imageTasks }),
  img2img: z.strictObject({ ...everyTask, ...imageTasks, strength, image_url: sourceUrl }),
  inpaint: z.strictObject({
    ...everyTask,
    ...imageTasks,
    strength,
    image_url: sourceUrl,
    mask_url: sourceUrl,
  }),
  text2video: z.strictObject({ ...everyTask, ...videoTasks }),
} as const satisfies Record<TaskType, z.ZodObject>;

/** The fields that a user may send for one task. */
export type RequestOf<Task extends TaskType> = z.output<(typeof REQUEST_SCHEMAS)[Task]>;

/** What a user may send: exactly the document's `request_data`. */
export type GenerationRequest = RequestOf<TaskType>;

/** Name of a field of the request table. */
export type RequestField = { [Task in TaskType]: keyof RequestOf<Task> }[TaskType];

const FIELD_SCHEMAS: Record<string, z.ZodType> = {
  ...REQUEST_SCHEMAS.inpaint.shape,
  ...REQUEST_SCHEMAS.text2video.shape,
};

/** Every field of the table. */
export const REQUEST_FIELDS = Object.keys(FIELD_SCHEMAS) as readonly RequestField[];

/** What is expected of a field, in words that follow "expected". */
export function expectationOf(field: RequestField): string {
  return descriptionOf(FIELD_SCHEMAS[field]);
}

/** The description of a schema, seen through `optional` and `nullable`. */
function descriptionOf(schema: z.ZodType | undefined): string {
  if (schema === undefined) return 'another value';
  if (schema.description !== undefined) return schema.description;
  const wrapped = schema instanceof z.ZodOptional || schema instanceof z.ZodNullable;
  return wrapped ? descriptionOf(schema.unwrap() as z.ZodType) : 'another value';
}

/** The tasks that a field belongs to. */
export function tasksOf(field: RequestField): TaskType[] {
  return TASK_TYPES.filter((task) => Object.hasOwn(REQUEST_SCHEMAS[task].shape, field));
}

/** Whether `name` is a field of the request table. */
export function isRequestField(name: string): name is RequestField {
  return Object.hasOwn(FIELD_SCHEMAS, name);
}
