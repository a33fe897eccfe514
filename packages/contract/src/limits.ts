/** Every number that more than one part must agree on, with its unit in its name. */

/** Version of this contract; it travels as `contract` in a job's input. */
export const CONTRACT_VERSION = 1;

// The request

export const PROMPT_MAX_CHARACTERS = 2000;
export const SIZE_MIN_PX = 64;
export const SIZE_MAX_PX = 2048;
/** The VAE of every model we know shrinks by 8; a card's `size_multiple` may ask for more. */
export const SIZE_MULTIPLE_PX = 8;
/** Width times height. */
export const PIXELS_MAX = 4_194_304;
export const IMAGES_MAX = 4;
export const STEPS_MAX = 150;
export const GUIDANCE_SCALE_MAX = 30;
export const VIDEO_GUIDANCE_SCALE_MAX = 20;
export const SEED_MAX = 2 ** 32 - 1;
export const FRAMES_MIN = 5;
export const FRAMES_MAX = 161;
/** Video frames are 4k+1: Wan's VAE keeps the first frame and packs the others by four. */
export const FRAME_STEP = 4;
export const FPS_MAX = 60;
/** Largest picture that a user may upload to start from. */
export const SOURCE_MAX_BYTES = 20 * 1024 * 1024;
/** Two of these and the rest of a request stay below Firestore's 1 MiB a document. */
export const DOCUMENT_DATA_URL_MAX_CHARACTERS = 400_000;
/** Base64 of SOURCE_MAX_BYTES with room for the media type, for results that never meet Firestore. */
export const DATA_URL_MAX_CHARACTERS = Math.ceil(SOURCE_MAX_BYTES / 3) * 4 + 100;
export const URL_MAX_CHARACTERS = 4096;

// The document

export const PROMPT_WORDS_MAX = 40;
/** Least time between two progress writes of one generation. */
export const PROGRESS_MIN_INTERVAL_MS = 500;
/** Least average time between progress writes: Firestore sustains one write a second to a document. */
export const PROGRESS_AVERAGE_INTERVAL_MS = 1000;
/** Longest `preview` data URL, in ASCII characters. */
export const PREVIEW_MAX_BYTES = 8 * 1024;

// Jobs

/** How long a worker that says nothing keeps its job. */
export const LEASE_SECONDS = 30;
export const ATTEMPTS_MAX = 3;
/** How often a worker looks again at a job that another worker holds. */
export const CLAIM_RETRY_MS = 2000;
/** How long a job record may lie without a RunPod id, or unclaimed after its queue time, before the sweep acts. */
export const DISPATCH_DUE_SECONDS = 60;
/** RunPod delivers a dead worker's job again by itself: the sweep gives it this long after the lease lapsed. */
export const SWEEP_GRACE_SECONDS = 60;
export const SWEEP_INTERVAL_SECONDS = 60;
/** RunPod's `policy.executionTimeout`. */
export const EXECUTION_TIMEOUT_MS = { image: 10 * 60_000, video: 60 * 60_000 } as const;
/** RunPod's `policy.ttl`: queueing and running together. */
export const JOB_TTL_MS = { image: 60 * 60_000, video: 3 * 60 * 60_000 } as const;

// Times to live

export const REQUEST_RECORD_TTL_SECONDS = 24 * 60 * 60;
export const TOMBSTONE_TTL_SECONDS = 7 * 24 * 60 * 60;
export const TRASH_TTL_DAYS = 30;
