/** Where everything lies: Firestore paths, Storage names, ids and the names of the functions. */

/** The four things a request can ask for. */
export const TASK_TYPES = ['text2img', 'img2img', 'inpaint', 'text2video'] as const;
/** One of the four tasks. */
export type TaskType = (typeof TASK_TYPES)[number];

/** What a task makes; also the folder of its files in Storage. */
export type MediaType = 'image' | 'video';

/** How images are encoded. */
export const OUTPUT_FORMATS = ['png', 'jpeg', 'webp'] as const;
/** One of the image formats. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

const EXTENSIONS = { png: 'png', jpeg: 'jpg', webp: 'webp' } as const satisfies Record<OutputFormat, string>;

/** Region of every function. */
export const FUNCTIONS_REGION = 'us-central1';
/** Codebase name of the functions in firebase.json. */
export const FUNCTIONS_CODEBASE = 'firepod';
/** Names of the callable functions, as a client calls them. */
export const CALLABLES = {
  submit: 'submitGeneration',
  cancel: 'cancelGeneration',
  rerun: 'rerunGeneration',
  remove: 'removeGeneration',
} as const;
/** Name of the HTTP function that RunPod calls when a job ends. */
export const WEBHOOK_FUNCTION = 'runpodWebhook';
/** Name of the scheduled function that mends what was left behind. */
export const SWEEP_FUNCTION = 'sweepGenerations';

/** Collections by name, for queries, rules and indexes. */
export const COLLECTIONS = {
  generations: 'generations',
  images: 'images',
  videos: 'videos',
  marks: 'marks',
  jobs: 'firepod_jobs',
  requests: 'firepod_requests',
  deleted: 'firepod_deleted',
  models: 'firepod_models',
  config: 'firepod_config',
} as const;

/** Whether a task makes images or a video. */
export function mediaTypeOf(task: TaskType): MediaType {
  return task === 'text2video' ? 'video' : 'image';
}

// Ids

/** 1 to 128 characters, no `/` and no control character, not `.`, `..` or `__x__`: what Firestore and Storage both take. */
export function isUserId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^[^/\p{Cc}\p{Cs}]{1,128}$/u.test(value) &&
    value !== '.' &&
    value !== '..' &&
    !/^__.*__$/u.test(value)
  );
}

/** Letters, digits and `-`; never `_`, because `a_1.png` is the second image of `a`. */
export function isFileUid(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9-]{1,128}$/.test(value);
}

/** What a client may send as `request_id` to make a repeated submit harmless. */
export function isRequestId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(value);
}

// Firestore

/** `generations/{user_id}/{images|videos}`: the collection that a client lists. */
export function generationsPath(userId: string, mediaType: MediaType): string {
  return `${COLLECTIONS.generations}/${userId}/${mediaType}s`;
}

/** `generations/{user_id}/{images|videos}/{file_uid}`: the document that a client watches. */
export function generationPath(userId: string, mediaType: MediaType, fileUid: string): string {
  return `${generationsPath(userId, mediaType)}/${fileUid}`;
}

/** The parts of a generation's path, or null where it is none. */
export function parseGenerationPath(
  path: string,
): { userId: string; mediaType: MediaType; fileUid: string } | null {
  const [root, userId, collection, fileUid, ...rest] = path.split('/');
  if (root !== COLLECTIONS.generations || rest.length > 0 || !isUserId(userId) || !isFileUid(fileUid))
    return null;
  if (collection !== COLLECTIONS.images && collection !== COLLECTIONS.videos) return null;
  return { userId, mediaType: collection === COLLECTIONS.images ? 'image' : 'video', fileUid };
}

/** Where a generation lies: what `submitGeneration` answers, and what an app keeps of it. */
export interface GenerationReference {
  readonly file_uid: string;
  readonly user_id: string;
  readonly media_type: MediaType;
  /** `generations/{user_id}/{images|videos}/{file_uid}` */
  readonly path: string;
}

/** The reference of a generation's path, or null where it is the path of none. */
export function generationReference(path: string): GenerationReference | null {
  const parts = parseGenerationPath(path);
  if (parts === null) return null;
  return { file_uid: parts.fileUid, user_id: parts.userId, media_type: parts.mediaType, path };
}

/** What a user marked on one generation. */
export function markPath(userId: string, fileUid: string): string {
  return `${COLLECTIONS.generations}/${userId}/${COLLECTIONS.marks}/${fileUid}`;
}

/** Server-only record of an open job. */
export function jobRecordPath(fileUid: string): string {
  return `${COLLECTIONS.jobs}/${fileUid}`;
}

/** Remembers which generation a `request_id` made. */
export function requestRecordPath(userId: string, requestId: string): string {
  return `${COLLECTIONS.requests}/${userId}_${requestId}`;
}

/** Says that a generation was deleted, so that no late worker makes it again. */
export function tombstonePath(fileUid: string): string {
  return `${COLLECTIONS.deleted}/${fileUid}`;
}

/** The published card of one model. */
export function modelCardPath(modelId: string): string {
  return `${COLLECTIONS.models}/${modelId}`;
}

/** The limits of a project, readable when signed in. */
export const LIMITS_PATH = `${COLLECTIONS.config}/limits`;

// Storage

/** `{file_uid}` for the first, `{file_uid}_1` for the second: the name of a file without its extension. */
export function fileName(fileUid: string, index: number): string {
  return index === 0 ? fileUid : `${fileUid}_${index}`;
}

/** Storage name of the image number `index` (from 0). */
export function imageObjectName(
  userId: string,
  fileUid: string,
  index: number,
  format: OutputFormat,
): string {
  return `generating/${userId}/image/${fileName(fileUid, index)}.${EXTENSIONS[format]}`;
}

/** Storage name of a generation's video. */
export function videoObjectName(userId: string, fileUid: string): string {
  return `generating/${userId}/video/${fileUid}.mp4`;
}

/** Storage name of the small picture of image number `index`; for a video (index 0) it is its poster. */
export function thumbnailObjectName(userId: string, fileUid: string, index: number): string {
  return `generating/${userId}/thumbnail/${fileName(fileUid, index)}.webp`;
}

/** Storage name of a picture that a user uploads to start from. */
export function sourceObjectName(userId: string, name: string): string {
  return `generating/${userId}/source/${name}`;
}

/** Media type (MIME) of an image format. */
export function contentTypeOf(format: OutputFormat): `image/${OutputFormat}` {
  return `image/${format}`;
}

/** Bucket and object name of a `gs://bucket/name` address, or null where it is none. */
export function parseStorageUrl(url: string): { bucket: string; name: string } | null {
  const match = /^gs:\/\/([^/]+)\/(.+)$/su.exec(url);
  return match?.[1] && match[2] ? { bucket: match[1], name: match[2] } : null;
}

/** Whether an object name is a source that this user uploaded, directly in the user's own folder. */
export function isSourceOf(userId: string, objectName: string): boolean {
  const prefix = sourceObjectName(userId, '');
  const name = objectName.slice(prefix.length);
  return objectName.startsWith(prefix) && /^[^/\p{Cc}]+$/u.test(name) && name !== '.' && name !== '..';
}
