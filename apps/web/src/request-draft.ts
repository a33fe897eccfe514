/** A request while a person fills it in, what it becomes when it is sent, and what was refused of it. */
import type { FirepodError, GenerationRequest } from '@firepod/client';
import {
  DEFAULTS,
  GUIDANCE_SCALE_MAX,
  IMAGES_MAX,
  type ModelCard,
  OUTPUT_FORMATS,
  SEED_MAX,
  SIZE_MAX_PX,
  SIZE_MIN_PX,
  SIZE_MULTIPLE_PX,
  STEPS_MAX,
} from '@firepod/contract';

/** Number fields as Mantine's NumberInput tells them: '' when empty, a text when it is not (yet) a number. */
type NumberDraft = number | string;

/** The fields as the form holds them; an empty one is left to the model's default. */
export interface Draft {
  readonly prompt: string;
  readonly negative_prompt: string;
  readonly width: NumberDraft;
  readonly height: NumberDraft;
  readonly num_images: NumberDraft;
  readonly num_inference_steps: NumberDraft;
  readonly guidance_scale: NumberDraft;
  readonly seed: NumberDraft;
  /** Only with a picture to start from. */
  readonly strength: NumberDraft;
  readonly scheduler: string | null;
}

export type DraftField = keyof Draft;
/** The number fields behind "Settings". */
export type NumberField = Exclude<DraftField, 'prompt' | 'negative_prompt' | 'scheduler' | 'strength'>;

export const emptyDraft: Draft = {
  prompt: '',
  negative_prompt: '',
  width: '',
  height: '',
  num_images: '',
  num_inference_steps: '',
  guidance_scale: '',
  seed: '',
  strength: '',
  scheduler: null,
};

/**
 * Only what the person filled in: the function keeps `request_data` as sent, and defaults are the model's. Values are
 * not judged here: the function is, and explains what it refuses.
 * @param imageUrl the address of the picture to start from
 */
export function requestOf(draft: Draft, imageUrl?: string): GenerationRequest {
  const { strength, ...rest } = draft;
  const fields = imageUrl === undefined ? rest : { ...rest, image_url: imageUrl, strength };
  const filled = Object.entries(fields)
    .map(([field, value]) => [field, isNumberField(field) ? toNumber(value) : trim(value)] as const)
    .filter(([field, value]) => field === 'prompt' || !isEmpty(value));
  return Object.fromEntries(filled) as unknown as GenerationRequest;
}

/** How many fields behind "Settings" are not left to the model. */
export function countSettings(draft: Draft): number {
  return Object.entries(draft).filter(([field, value]) => !isAlwaysShown(field) && !isEmpty(trim(value)))
    .length;
}

/** Whether a field stands in the form itself and not behind "Settings". */
export function isAlwaysShown(field: string): boolean {
  return field === 'prompt' || field === 'strength';
}

/** What a field's problem says, without the field's name: it stands below the field. */
export function problemOf(failure: FirepodError | undefined, field: DraftField): string | undefined {
  const message = failure?.problems.find((problem) => problem.field === field)?.message;
  return message?.replace(`${field}: `, '');
}

/** Whether every part of a refusal has a field of this form to stand below. */
export function isShownInFields({ problems }: FirepodError): boolean {
  return problems.length > 0 && problems.every(({ field }) => field in emptyDraft);
}

/** What a number field may hold and holds when it is left empty, as far as the model card and the contract know. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly fallback: number | undefined;
}

/** What may be uploaded to start from. */
export const sourceTypes = OUTPUT_FORMATS.map((format) => `image/${format}`);

/** The contract's range and default of `strength`, in steps that can be seen. */
export const strengthRange = { min: 0.05, max: 1, step: 0.05, fallback: DEFAULTS.img2img_strength };

export function rangesOf(card: ModelCard | undefined): Record<NumberField, NumberRange> {
  const { defaults, limits, native_size } = card ?? {};
  const size = {
    min: Math.max(SIZE_MIN_PX, limits?.min_size ?? 0),
    max: Math.min(SIZE_MAX_PX, limits?.max_size ?? SIZE_MAX_PX),
    step: Math.max(SIZE_MULTIPLE_PX, card?.size_multiple ?? 0),
  };
  const upTo = (maximum: number, ofCard = maximum) => Math.min(maximum, ofCard);
  return {
    width: { ...size, fallback: defaults?.width ?? native_size?.width },
    height: { ...size, fallback: defaults?.height ?? native_size?.height },
    num_images: { min: 1, max: upTo(IMAGES_MAX, limits?.max_images), step: 1, fallback: 1 },
    num_inference_steps: {
      min: 1,
      max: upTo(STEPS_MAX, limits?.max_steps),
      step: 1,
      fallback: defaults?.num_inference_steps,
    },
    guidance_scale: { min: 0, max: GUIDANCE_SCALE_MAX, step: 0.5, fallback: defaults?.guidance_scale },
    seed: { min: 0, max: SEED_MAX, step: 1, fallback: undefined },
  };
}

const numberFields: readonly string[] = [
  'strength',
  'width',
  'height',
  'num_images',
  'num_inference_steps',
  'guidance_scale',
  'seed',
] satisfies (NumberField | 'strength')[];

function isNumberField(field: string): boolean {
  return numberFields.includes(field);
}

/** A text that is no number stays one, so that it is refused by its name instead of being left out. */
function toNumber(value: unknown): unknown {
  const isText = typeof value === 'string' && value !== '';
  return isText && Number.isFinite(Number(value)) ? Number(value) : value;
}

function trim(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

function isEmpty(value: unknown): boolean {
  return value === '' || value === null;
}
