/** A request while a person fills it in, what it becomes when it is sent, and what was refused of it. */
import type { FirepodError, GenerationRequest, MediaType } from '@firepod/client';

/** Number fields as Mantine's NumberInput tells them: '' when empty, a text when it is not (yet) a number. */
type NumberDraft = number | string;

/** The fields of every task, then those of pictures, then those of videos; an empty one is left to the model's default. */
export interface Draft {
  readonly prompt: string;
  readonly negative_prompt: string;
  readonly num_inference_steps: NumberDraft;
  readonly seed: NumberDraft;
  readonly width: NumberDraft;
  readonly height: NumberDraft;
  readonly num_images: NumberDraft;
  readonly guidance_scale: NumberDraft;
  readonly scheduler: string | null;
  /** Only with a picture to start from. */
  readonly strength: NumberDraft;
  readonly num_frames: NumberDraft;
  readonly fps: NumberDraft;
  readonly video_width: NumberDraft;
  readonly video_height: NumberDraft;
  readonly video_guidance_scale: NumberDraft;
}

export type DraftField = keyof Draft;

export const emptyDraft: Draft = {
  prompt: '',
  negative_prompt: '',
  num_inference_steps: '',
  seed: '',
  width: '',
  height: '',
  num_images: '',
  guidance_scale: '',
  scheduler: null,
  strength: '',
  num_frames: '',
  fps: '',
  video_width: '',
  video_height: '',
  video_guidance_scale: '',
};

const fieldsOfEveryTask: readonly DraftField[] = ['prompt', 'negative_prompt', 'num_inference_steps', 'seed'];

const fieldsOf: Record<MediaType, readonly DraftField[]> = {
  image: [...fieldsOfEveryTask, 'width', 'height', 'num_images', 'guidance_scale', 'scheduler'],
  video: [...fieldsOfEveryTask, 'num_frames', 'fps', 'video_width', 'video_height', 'video_guidance_scale'],
};

const textFields: readonly string[] = ['prompt', 'negative_prompt', 'scheduler'] satisfies DraftField[];

/** Where the pictures lie that a picture is made from. */
export interface SourceAddresses {
  readonly image_url: string;
  /** Only where a part of it is painted again. */
  readonly mask_url?: string | undefined;
}

/**
 * Only what the person filled in: the function keeps `request_data` as sent, and defaults are the model's. Values are
 * not judged here: the function is, and explains what it refuses.
 */
export function requestOf(draft: Draft, media: MediaType, sources?: SourceAddresses): GenerationRequest {
  const fields = [...fieldsOf[media], ...(sources === undefined ? [] : (['strength'] as const))];
  const filled = fields
    .map((field) => [field, isTextField(field) ? trim(draft[field]) : toNumber(draft[field])] as const)
    .filter(([field, value]) => field === 'prompt' || !isEmpty(value));
  // Without it, a video whose number of frames is left to the model would be taken for a picture.
  const task = media === 'video' ? { task_type: 'text2video' } : {};
  return { ...task, ...Object.fromEntries(filled), ...sources } as unknown as GenerationRequest;
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

function isTextField(field: DraftField): boolean {
  return textFields.includes(field);
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
