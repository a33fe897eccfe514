/** The documents of Firestore as types, and tolerant readers of what others may have written. */
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode, isErrorCode } from './error-codes.ts';
import { type MediaType, TASK_TYPES, type TaskType } from './paths.ts';

/** The four states; there is no fifth, so that a client that knows four never waits for ever. */
export const STATUSES = ['queued', 'processing', 'completed', 'failed'] as const;
/** One of the four states. */
export type Status = (typeof STATUSES)[number];
/** The states in which something may still be written. */
export type OpenStatus = 'queued' | 'processing';
/** The states that nothing leaves. */
export type TerminalStatus = 'completed' | 'failed';

/** Whether a state is an end. */
export function isTerminal(status: Status): status is TerminalStatus {
  return status === 'completed' || status === 'failed';
}

/** What a worker is doing, in the order in which it does it. */
export const PROGRESS_PHASES = [
  'starting',
  'loading',
  'encoding',
  'denoising',
  'decoding',
  'uploading',
] as const;
/** One phase of a worker's work. */
export type ProgressPhase = (typeof PROGRESS_PHASES)[number];

/** How far a worker is; first written at the claim. */
export interface Progress {
  readonly phase: ProgressPhase;
  /** Denoising steps done. */
  readonly step: number;
  readonly steps: number;
  /** 0 to 100, of the whole generation. */
  readonly percent: number;
  readonly eta_seconds: number | null;
}

/** Who works on a generation: the RunPod job (null before it is known) and the number of the attempt, from 1. */
export interface JobMark {
  readonly id: string | null;
  readonly attempt: number;
}

/** As the user sent it; documents that others made may hold anything. */
export type RequestData = { readonly prompt?: string | undefined } & Readonly<Record<string, unknown>>;

interface GenerationDataFields {
  readonly seed: number;
  readonly seeds: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly thumbnail_urls: readonly string[];
  readonly blurhash: string;
  readonly gpu_seconds: number;
  /** Seconds by phase. */
  readonly timings: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  /** Resolved request, model sha256 and engine version: enough to make the same bytes again. */
  readonly recipe: Readonly<Record<string, unknown>>;
}

/** The results of an image task; the first of `image_urls` is the one without a number. */
export interface ImageGenerationData extends GenerationDataFields {
  readonly image_urls: readonly string[];
}

/** The results of a video task. */
export interface VideoGenerationData extends GenerationDataFields {
  readonly video_url: string;
  readonly fps: number;
  readonly num_frames: number;
  readonly duration_seconds: number;
  readonly poster_url: string;
}

/** The results of a completed generation, as our worker writes them. */
export type GenerationData = ImageGenerationData | VideoGenerationData;

/** As read: a guide's worker writes only `image_urls`, or `video_url` and `fps`. */
export type GenerationDataAsRead = Partial<ImageGenerationData> &
  Partial<Omit<VideoGenerationData, keyof GenerationDataFields>> &
  Readonly<Record<string, unknown>>;

interface GenerationFields<Timestamp> {
  readonly user_id: string;
  readonly file_uid: string;
  readonly request_data: RequestData;
  /** Null only in a local snapshot, until the server has told its time. */
  readonly created_at: Timestamp | null;
  readonly updated_at: Timestamp | null;
  readonly task_type: TaskType | null;
  readonly prompt_words: readonly string[];
  readonly parent: string | null;
  readonly job: JobMark | null;
}

/** Asked for; nobody works on it yet. */
export interface QueuedGeneration<Timestamp> extends GenerationFields<Timestamp> {
  readonly status: 'queued';
}

/** A worker has claimed it. */
export interface ProcessingGeneration<Timestamp> extends GenerationFields<Timestamp> {
  readonly status: 'processing';
  readonly started_at: Timestamp | null;
  readonly progress: Progress | null;
  /** A data URL of the forming image. */
  readonly preview: string | null;
}

/** Ended with results. */
export interface CompletedGeneration<Timestamp> extends GenerationFields<Timestamp> {
  readonly status: 'completed';
  readonly generated: true;
  readonly modified: Timestamp | null;
  readonly completed_at: Timestamp | null;
  readonly generation_data: GenerationDataAsRead;
}

/** Ended without; `error` is for the person who asked. */
export interface FailedGeneration<Timestamp> extends GenerationFields<Timestamp> {
  readonly status: 'failed';
  readonly completed_at: Timestamp | null;
  readonly error: string;
  readonly error_code: ErrorCode;
}

/** `generations/{user_id}/{images|videos}/{file_uid}` as read; `Timestamp` is the SDK's. */
export type Generation<Timestamp> =
  | QueuedGeneration<Timestamp>
  | ProcessingGeneration<Timestamp>
  | CompletedGeneration<Timestamp>
  | FailedGeneration<Timestamp>;

/** `firepod_jobs/{file_uid}`: server-only, there exactly while the generation is open. */
export interface JobRecord<Timestamp> {
  readonly path: string;
  readonly user_id: string;
  /** The job's input, to dispatch it again. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  readonly runpod_id: string | null;
  /** Who holds the attempt, one id for each run of a job; null while nobody has claimed it. */
  readonly worker_id: string | null;
  readonly lease_renewed_at: Timestamp | null;
  readonly lease_seconds: number;
  /** When the sweep should look at it. */
  readonly due_at: Timestamp;
  readonly contract: number;
}

/** `firepod_requests/{user_id}_{request_id}`. */
export interface RequestRecord<Timestamp> {
  readonly file_uid: string;
  /** Where that generation lies, so that a repeated submit can be answered without a search. */
  readonly path: string;
  readonly expire_at: Timestamp;
}

/** `firepod_deleted/{file_uid}`. */
export interface Tombstone<Timestamp> {
  readonly deleted_at: Timestamp;
  readonly expire_at: Timestamp;
}

/** `generations/{user_id}/marks/{file_uid}`, written by the user. */
export interface Mark<Timestamp> {
  readonly media_type: MediaType;
  readonly created_at: Timestamp;
  readonly favorite?: boolean;
  readonly title?: string;
  readonly trashed_at?: Timestamp | null;
}

/** `firepod_config/limits`: how much one user may ask for; where there is no document these defaults hold. */
export const projectLimitsSchema = z.looseObject({
  /** Generations of one user that are queued or processing at the same time. */
  open_per_user: z.int().min(0).catch(5).default(5),
  /** Generations that one user starts on one day (UTC). */
  daily_per_user: z.int().min(0).catch(200).default(200),
});
/** The limits of a project, read. */
export type ProjectLimits = z.output<typeof projectLimitsSchema>;

/** What `cancelGeneration` answers: how the generation has ended. */
export interface CancelResult {
  /** True also where an earlier call cancelled it; false where it had ended otherwise, and nothing was changed. */
  readonly cancelled: boolean;
  readonly status: TerminalStatus;
}

/** What the worker posts as the job's output, and what the webhook finishes an open document from. */
export interface JobOutput {
  readonly status: 'completed' | 'failed';
  readonly file_uid: string;
  readonly user_id: string | null;
  readonly media_type: MediaType;
  /** The attempt that made it: the webhook completes only the current one. */
  readonly attempt: number | null;
  readonly generation_data: GenerationData | null;
}

const text = z.string();
const progressSchema = z.object({
  phase: z.enum(PROGRESS_PHASES).catch('denoising'),
  step: z.number().catch(0),
  steps: z.number().catch(0),
  percent: z.number().catch(0),
  eta_seconds: z.number().nullable().catch(null),
});
const texts = z.array(text);
const dataSchema = z.looseObject({
  image_urls: texts.optional().catch(undefined),
  thumbnail_urls: texts.optional().catch(undefined),
  video_url: text.optional().catch(undefined),
  poster_url: text.optional().catch(undefined),
  fps: z.number().optional().catch(undefined),
});

/** Every field of a document with what it reads as when it is absent or has another shape. */
const generationSchema = z.object({
  status: z.enum(STATUSES),
  user_id: text.catch(''),
  file_uid: text.catch(''),
  request_data: z.looseObject({ prompt: text.optional().catch(undefined) }).catch({}),
  task_type: z.enum(TASK_TYPES).nullable().catch(null),
  prompt_words: texts.catch([]),
  parent: text.nullable().catch(null),
  job: z
    .object({ id: text.nullable().catch(null), attempt: z.int().catch(1) })
    .nullable()
    .catch(null),
  progress: progressSchema.nullable().catch(null),
  preview: text.startsWith('data:image/').nullable().catch(null),
  generation_data: dataSchema.catch({}),
  error: text.catch(''),
  error_code: z.custom<ErrorCode>(isErrorCode).catch('internal'),
  created_at: z.unknown().optional(),
  updated_at: z.unknown().optional(),
  started_at: z.unknown().optional(),
  completed_at: z.unknown().optional(),
  modified: z.unknown().optional(),
});

/**
 * Reads a generation that anybody may have written: fields of another shape read as absent, never as an error; null
 * where there is none of the four states. `isTimestamp` recognises the SDK's type.
 */
export function parseGeneration<Timestamp>(
  data: unknown,
  isTimestamp: (value: unknown) => value is Timestamp,
): Generation<Timestamp> | null {
  const parsed = generationSchema.safeParse(data);
  if (!parsed.success) return null;
  const fields = parsed.data;
  const time = (value: unknown) => (isTimestamp(value) ? value : null);
  const shared = {
    user_id: fields.user_id,
    file_uid: fields.file_uid,
    request_data: fields.request_data,
    created_at: time(fields.created_at),
    updated_at: time(fields.updated_at),
    task_type: fields.task_type,
    prompt_words: fields.prompt_words,
    parent: fields.parent,
    job: fields.job,
  };
  const completed_at = time(fields.completed_at);
  switch (fields.status) {
    case 'queued':
      return { ...shared, status: 'queued' };
    case 'processing': {
      const { progress, preview } = fields;
      return { ...shared, status: 'processing', started_at: time(fields.started_at), progress, preview };
    }
    case 'completed': {
      const generation_data = fields.generation_data as GenerationDataAsRead;
      const modified = time(fields.modified);
      return { ...shared, status: 'completed', generated: true, modified, completed_at, generation_data };
    }
    case 'failed': {
      const error = fields.error === '' ? ERROR_CODES[fields.error_code].sentence : fields.error;
      return { ...shared, status: 'failed', completed_at, error, error_code: fields.error_code };
    }
  }
}
