/** How the reading of a source fails: the sentence names the field, and never the address, which may carry a signature. */
import { WorkerError } from '../errors.ts';

/** The two fields of a request that name a source. */
export type SourceField = 'image_url' | 'mask_url';

/** The source cannot be had, or is none: gone, out of reach, not a picture. */
export function sourceNotAvailable(field: SourceField, reason: string, cause?: unknown): WorkerError {
  return new WorkerError('source_not_available', `${field}: ${reason}`, cause === undefined ? {} : { cause });
}

/** The source is there, but the request may not use it. */
export function sourceNotAllowed(field: SourceField, reason: string): WorkerError {
  return new WorkerError('invalid_argument', `${field}: ${reason}`);
}
