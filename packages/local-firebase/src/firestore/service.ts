/** What every transport needs to serve requests: the engine, who calls, the guard and a place for unexpected errors. */
import type { Logger } from '../logger.ts';
import type { Engine } from './engine.ts';
import type { Guard } from './guard.ts';
import type { CallerReader } from './identity.ts';
import { StatusError } from './status.ts';

export type Service = { engine: Engine; callerOf: CallerReader; guard: Guard; logger: Logger };

/** What to tell the client. Errors of ours are logged and told as INTERNAL without their text. */
export function toStatusError({ logger }: Service, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  logger.error({ err: error }, 'A Firestore request failed unexpectedly');
  return new StatusError('INTERNAL', 'The local Firestore failed; its log says why.', { cause: error });
}
