/** firebase-functions' logger in the shape that our packages take: fields first, then the message. No prompts, no secrets. */
import type { Logger } from '@firepod/runpod/client';
import { logger } from 'firebase-functions';

/** Writes structured entries to Cloud Logging (one-line JSON elsewhere). */
export const log: Logger = {
  debug: (fields, message) => logger.debug(message, fields),
  info: (fields, message) => logger.info(message, fields),
  warn: (fields, message) => logger.warn(message, fields),
  error: (fields, message) => logger.error(message, fields),
};

/** What a log keeps of something thrown: errors as fields of an entry would be written as `{}`. */
export function describeThrown(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
