/** Log lines that say which generation they are about. */
import type { Logger } from '@firepod/runpod/worker';

/** A logger whose lines also carry `bound`. */
export function withFields(logger: Logger, bound: Record<string, unknown>): Logger {
  return {
    debug: (fields, message) => logger.debug({ ...bound, ...fields }, message),
    info: (fields, message) => logger.info({ ...bound, ...fields }, message),
    warn: (fields, message) => logger.warn({ ...bound, ...fields }, message),
    error: (fields, message) => logger.error({ ...bound, ...fields }, message),
  };
}
