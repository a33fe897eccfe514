/** What is offered beside the API: clearing a database, other security rules, and the events that functions wait for. */
import { LocalFirebaseError } from '../errors.ts';
import { pushedRules } from '../rules/pushed-rules.ts';
import type { Service } from './service.ts';
import { invalidArgument } from './status.ts';

const DOCUMENTS_PATH = /^\/emulator\/v1\/(projects\/[^/]+\/databases\/[^/]+)\/documents$/;
const SUBSCRIPTIONS_PATH = /^\/emulator\/v1\/(projects\/[^/]+)\/eventSubscriptions$/;
const RULES_PATH = /^\/emulator\/v1\/(projects\/[^/]+):securityRules$/;

/** A request that may be for one of the endpoints. */
export type EmulatorRequest = { method: string | undefined; path: string; body: string };

/**
 * Answers `DELETE …/documents`, `PUT …:securityRules` and `PUT …/eventSubscriptions`; undefined for any other request.
 *
 * @throws StatusError INVALID_ARGUMENT for another project and for what does not compile.
 */
export async function answerEmulator(
  service: Service,
  { method, path, body }: EmulatorRequest,
): Promise<object | undefined> {
  const database = method === 'DELETE' ? DOCUMENTS_PATH.exec(path)?.[1] : undefined;
  if (database !== undefined) return clearDatabase(service, decodeURIComponent(database));
  const project = method === 'PUT' ? RULES_PATH.exec(path)?.[1] : undefined;
  if (project !== undefined) return replaceRules(service, decodeURIComponent(project), body);
  const subscriber = method === 'PUT' ? SUBSCRIPTIONS_PATH.exec(path)?.[1] : undefined;
  if (subscriber !== undefined) return subscribe(service, decodeURIComponent(subscriber), body);
  return undefined;
}

async function clearDatabase({ engine, guard }: Service, database: string): Promise<object> {
  guard.checkDatabase(database);
  const documents = [...engine.store.scan({ kind: 'descendants', parent: `${database}/documents` })];
  await engine.commit(documents.map(({ name }) => ({ delete: name })));
  return {};
}

function replaceRules({ guard, rules }: Service, project: string, body: string): object {
  guard.checkDatabase(`${project}/databases/(default)`);
  return refusingInvalid(() => rules.replace(pushedRules(body)));
}

function subscribe({ guard, triggers }: Service, project: string, body: string): object {
  guard.checkDatabase(`${project}/databases/(default)`);
  return refusingInvalid(() => triggers.subscribe(body));
}

function refusingInvalid(change: () => void): object {
  try {
    change();
    return {};
  } catch (cause) {
    if (!(cause instanceof LocalFirebaseError)) throw cause;
    throw invalidArgument(cause.message, { cause });
  }
}
