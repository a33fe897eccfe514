/** What a functions host tells the services that have events: which functions it has, what they wait for, and where to send it. */
import { LocalFirebaseError } from '../errors.ts';

/** One function that waits for events, as its `eventTrigger` says it. */
export type EventSubscription = {
  functionName: string;
  /** Where its events are POSTed. */
  url: string;
  /** google.cloud.firestore.document.v1.created and so on. */
  eventType: string;
  /** What attributes of the event must equal. */
  filters: Record<string, string>;
  /** What attributes of the event must match. */
  pathPatterns: Record<string, string>;
};

/** @throws LocalFirebaseError `invalid_configuration` */
export function parseSubscriptions(json: string): EventSubscription[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw invalid('JSON', { cause });
  }
  const { subscriptions } = (parsed ?? {}) as { subscriptions?: unknown };
  if (!Array.isArray(subscriptions)) throw invalid('{"subscriptions": […]}');
  return subscriptions.map((each: Partial<EventSubscription> | null) => {
    const { functionName, url, eventType, filters = {}, pathPatterns = {} } = each ?? {};
    if (typeof functionName !== 'string' || typeof eventType !== 'string') {
      throw invalid('a functionName and an eventType in each');
    }
    if (typeof url !== 'string' || !URL.canParse(url)) throw invalid(`a url for ${functionName}`);
    return { functionName, url, eventType, filters, pathPatterns };
  });
}

function invalid(expected: string, options?: { cause?: unknown }): LocalFirebaseError {
  const message = `The event subscriptions are not valid: expected ${expected}.`;
  return new LocalFirebaseError('invalid_configuration', message, options);
}
