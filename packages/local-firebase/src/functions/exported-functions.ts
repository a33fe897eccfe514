/** Finds the Cloud Functions among a module's exports, by the marks that firebase-functions leaves on them. */
import type { Request, Response } from 'express';

/** A function as firebase-functions makes it; scheduled ones of the first generation take an event instead. */
type HttpHandler = (request: Request, response: Response) => unknown;
type EventHandler = (data: unknown, context: unknown) => unknown;

/** A function that can be called over HTTP here. */
export type ExportedFunction = {
  /** As deployed: the names of nested groups joined with dashes. */
  name: string;
  region: string;
  kind: 'callable' | 'https' | 'schedule' | 'event';
  /** `every 5 minutes` or a cron line, for a schedule. */
  schedule: string | null;
  handler: HttpHandler;
  /** What it waits for, for an event. */
  event: EventTrigger | null;
};

/** What an event function waits for, in the words of Eventarc. */
type EventTrigger = {
  eventType: string;
  filters: Record<string, string>;
  pathPatterns: Record<string, string>;
};

/** A function that only an event could start, and why it is not hosted. */
export type SkippedFunction = { name: string; reason: string };

/** Events of which the services of this package tell. */
const DELIVERED = /^google\.cloud\.(firestore\.document|storage\.object)\.v1\./;

/** What firebase-functions 7 writes to `__endpoint` (and the deployer of firebase-tools reads), as far as it is needed. */
type Endpoint = {
  platform?: string;
  region?: unknown;
  callableTrigger?: object;
  httpsTrigger?: object;
  scheduleTrigger?: { schedule?: unknown };
  taskQueueTrigger?: object;
  eventTrigger?: {
    eventType?: string;
    eventFilters?: Record<string, unknown>;
    eventFilterPathPatterns?: Record<string, unknown>;
    retry?: unknown;
  };
  blockingTrigger?: object;
};

type MarkedFunction = HttpHandler & EventHandler & { __endpoint: Endpoint };

/** Sorts a module's exports. What is neither a function nor a group of functions is passed over silently. */
export function exportedFunctions(
  exports: Record<string, unknown>,
  defaultRegion: string,
  deliversEvents: boolean,
): { hosted: ExportedFunction[]; skipped: SkippedFunction[] } {
  const hosted: ExportedFunction[] = [];
  const skipped: SkippedFunction[] = [];
  for (const [name, exported] of named(exports, [], new Set())) {
    const endpoint = exported.__endpoint;
    const kind = kindOf(endpoint, deliversEvents);
    if (kind === null) skipped.push({ name, reason: skipReason(endpoint) });
    else {
      const schedule = endpoint.scheduleTrigger?.schedule;
      const handler = handlerOf(name, kind, exported);
      const event = kind === 'event' ? eventTriggerOf(endpoint) : null;
      for (const region of regionsOf(endpoint, defaultRegion)) {
        hosted.push({
          name,
          region,
          kind,
          handler,
          event,
          schedule: typeof schedule === 'string' ? schedule : null,
        });
      }
    }
  }
  return { hosted, skipped };
}

function* named(
  exports: object,
  groups: readonly string[],
  seen: Set<object>,
): Generator<[name: string, exported: MarkedFunction]> {
  for (const [key, value] of Object.entries(exports) as [string, unknown][]) {
    if (typeof value === 'function' && '__endpoint' in value) {
      yield [[...groups, key].join('-'), value as MarkedFunction];
    } else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value);
      yield* named(value, [...groups, key], seen);
    }
  }
}

function handlerOf(name: string, kind: ExportedFunction['kind'], exported: MarkedFunction): HttpHandler {
  const { platform, eventTrigger } = exported.__endpoint;
  if (kind === 'schedule' && platform === 'gcfv1') return scheduledByEvent(name, exported);
  return kind === 'event' ? startedByEvent(exported, eventTrigger?.retry === true) : exported;
}

function kindOf(endpoint: Endpoint, deliversEvents: boolean): ExportedFunction['kind'] | null {
  const { platform, eventTrigger } = endpoint;
  if (deliversEvents && platform !== 'gcfv1' && DELIVERED.test(eventTrigger?.eventType ?? '')) return 'event';
  if (endpoint.callableTrigger !== undefined) return 'callable';
  if (endpoint.httpsTrigger !== undefined) return 'https';
  return endpoint.scheduleTrigger === undefined ? null : 'schedule';
}

function skipReason({ taskQueueTrigger, eventTrigger }: Endpoint): string {
  if (taskQueueTrigger !== undefined) return 'task queues are not hosted here';
  if (eventTrigger !== undefined) return `events (${eventTrigger.eventType}) are not delivered here`;
  return 'blocking functions are not hosted here';
}

/** Regions may also be expressions that only the deployer resolves; those run in the default one. */
function regionsOf({ region }: Endpoint, defaultRegion: string): string[] {
  const listed = Array.isArray(region) ? (region as unknown[]) : [region];
  const texts = listed.filter((each): each is string => typeof each === 'string' && each !== '');
  return texts.length === 0 ? [defaultRegion] : texts;
}

/** First-generation schedules are Pub/Sub functions: give them the event that the scheduler's topic would. */
function scheduledByEvent(name: string, handler: EventHandler): HttpHandler {
  return async (request, response) => {
    const timestamp = request.header('x-cloudscheduler-scheduletime') ?? new Date().toISOString();
    const context = {
      eventId: `${name}-${timestamp}`,
      timestamp,
      eventType: 'google.pubsub.topic.publish',
      resource: { service: 'pubsub.googleapis.com', name: `firebase-schedule-${name}` },
    };
    await handler({}, context);
    response.status(200).send();
  };
}

/** Second-generation event functions take a CloudEvent, which comes as JSON. */
function startedByEvent(handler: EventHandler, isRetried: boolean): HttpHandler {
  return async (request, response) => {
    const body = request.body as unknown;
    const event: unknown = Buffer.isBuffer(body) ? JSON.parse(body.toString()) : body;
    try {
      await handler(event, undefined);
      response.status(204).end();
    } catch (error) {
      // The sender tries again; without `retry` a failure is final, as in the cloud.
      if (isRetried) response.status(503).end();
      throw error;
    }
  };
}

function eventTriggerOf({ eventTrigger = {} }: Endpoint): EventTrigger {
  const { eventType = '', eventFilters = {}, eventFilterPathPatterns = {} } = eventTrigger;
  return { eventType, filters: textsOf(eventFilters), pathPatterns: textsOf(eventFilterPathPatterns) };
}

/** Filters may be parameters, which know their value here. */
function textsOf(values: Record<string, unknown>): Record<string, string> {
  const textOf = (value: unknown) =>
    typeof value === 'string' ? value : String((value as { value(): unknown }).value());
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, textOf(value)]));
}
