/** What Firebase's emulator offers beside the API, for tests: clearing a database. */
import type { Service } from './service.ts';

const DOCUMENTS_PATH = /^\/emulator\/v1\/(projects\/[^/]+\/databases\/[^/]+)\/documents$/;

/** Deletes every document of the database that the path names. Returns undefined for any other request. */
export function clearDatabase(
  { engine, guard }: Service,
  method: string | undefined,
  path: string,
): object | undefined {
  const encoded = method === 'DELETE' ? DOCUMENTS_PATH.exec(path)?.[1] : undefined;
  if (encoded === undefined) return undefined;
  const database = decodeURIComponent(encoded);
  guard.checkDatabase(database);
  const documents = [...engine.store.scan({ kind: 'descendants', parent: `${database}/documents` })];
  engine.commit(documents.map(({ name }) => ({ delete: name })));
  return {};
}
