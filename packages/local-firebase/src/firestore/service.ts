/** What every transport needs to serve requests: the engine, who calls, the guard and a place for unexpected errors. */
import type { Logger } from '../logger.ts';
import { type LiveRules, openRules, type RulesSource } from '../rules/live-rules.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { createGuard, type Guard } from './guard.ts';
import { type CallerReader, createCallerReader } from './identity.ts';
import { StatusError } from './status.ts';
import type { Store } from './store.ts';
import type { Clock } from './timestamp.ts';
import { createTriggers, type Triggers } from './triggers.ts';

export type Service = {
  engine: Engine;
  callerOf: CallerReader;
  guard: Guard;
  rules: LiveRules;
  triggers: Triggers;
  logger: Logger;
};

export type ServiceOptions = {
  projectId: string;
  store: Store;
  rules?: RulesSource | undefined;
  clock: Clock;
  logger: Logger;
  engine?: EngineOptions | undefined;
};

/**
 * Puts the parts together over an open store; `rules.close()` and `triggers.close()` end it.
 *
 * @throws LocalFirebaseError `invalid_rules`, or `data_unreadable` for a rules file that cannot be read.
 */
export function createService({
  projectId,
  store,
  rules: source,
  clock,
  logger,
  engine: engineOptions,
}: ServiceOptions): Service {
  const rules = openRules(source, { service: 'cloud.firestore', logger });
  const triggers = createTriggers(store.events, logger);
  const engine = createEngine(store, clock, { ...engineOptions, triggers });
  const guard = createGuard({ projectId, rules, store, readMicros: engine.readMicros, logger });
  return { engine, callerOf: createCallerReader({ projectId, clock }), guard, rules, triggers, logger };
}

/** What to tell the client. Errors of ours are logged and told as INTERNAL without their text. */
export function toStatusError({ logger }: Service, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  logger.error({ err: error }, 'A Firestore request failed unexpectedly');
  return new StatusError('INTERNAL', 'The local Firestore failed; its log says why.', { cause: error });
}
