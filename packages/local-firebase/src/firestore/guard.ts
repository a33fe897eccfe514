/** The door to every document: refuses other projects, and what the security rules do not let a client do. */
import type { Logger } from '../logger.ts';
import { authValue } from '../rules/authentication.ts';
import { createDocumentLookups, type DocumentLookups } from '../rules/document-lookups.ts';
import { resourceValue, segmentsOf } from '../rules/firestore-values.ts';
import type { LiveRules } from '../rules/live-rules.ts';
import type { QuestionPath } from '../rules/match-path.ts';
import { listQuestions, queryValue } from '../rules/query-knowledge.ts';
import type { Method } from '../rules/syntax.ts';
import { pathOf, type RulesMap, type RulesValue, type Timestamp } from '../rules/values.ts';
import type { Caller } from './identity.ts';
import type { CompiledQuery } from './query.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { Store } from './store.ts';
import type { StoredDocument } from './stored-document.ts';

/** One write of a commit, as the rules judge it: the document before it and after it. */
export type WriteStep = {
  operation: 'write' | 'delete' | 'verify';
  name: string;
  before: StoredDocument | undefined;
  after: StoredDocument | undefined;
};

/** Looks at a whole commit before it happens. @throws StatusError PERMISSION_DENIED */
export type CommitCheck = (steps: readonly WriteStep[], commitMicros: number) => void;

/** Each check throws StatusError: INVALID_ARGUMENT for a foreign project, PERMISSION_DENIED for a client not let in. */
export type Guard = {
  checkDatabase(database: string | undefined): void;
  /** For the documents that one request reads by name. */
  checkReads(caller: Caller, documentNames: readonly string[]): void;
  /** For a query as a whole, whatever it would find. */
  checkList(caller: Caller, query: CompiledQuery): void;
  /** What the engine asks before a commit of this caller. */
  commitCheck(caller: Caller): CommitCheck;
  /** For what clients may never do. */
  checkAdmin(caller: Caller, name: string): void;
};

/** What the door needs to know. */
export type GuardParts = {
  projectId: string;
  rules: LiveRules;
  store: Store;
  /** The time of a request that commits nothing, in microseconds. */
  readMicros: () => number;
  logger: Logger;
};

type Client = Extract<Caller, { kind: 'client' }>;

/** One question to the rules. */
type Question = {
  method: Method;
  path: QuestionPath;
  resource: RulesValue;
  micros: number;
  /** What `request` has beside what every request has. */
  details: readonly (readonly [string, RulesValue])[];
};

export function createGuard({ projectId, rules, store, readMicros, logger }: GuardParts): Guard {
  const prefix = `projects/${projectId}/databases/`;

  function checkProject(name: string): void {
    if (name.startsWith(prefix)) return;
    throw invalidArgument(`"${name}" is not in project "${projectId}", the one that this server holds.`);
  }

  function readLookups(): DocumentLookups {
    return createDocumentLookups(projectId, { before: store.read, after: store.read });
  }

  /** @throws StatusError PERMISSION_DENIED in the cloud's words; the log says why. */
  function ask(caller: Client, question: Question, lookups: DocumentLookups): void {
    const { method, path, resource } = question;
    const ruleset = rules.current();
    const decision = ruleset?.decide({
      method,
      path,
      resource,
      request: requestValue(caller, question),
      document: lookups.forOperation(),
    });
    if (decision?.isAllowed) return;
    const reasons = decision?.reasons ?? ['There are no security rules.'];
    const shown = path.map((segment) => (typeof segment === 'string' ? segment : '*')).join('/');
    logger.info(
      { method, path: shown, uid: caller.identity?.uid ?? null, reasons },
      'The security rules deny a request',
    );
    throw new StatusError('PERMISSION_DENIED', 'Missing or insufficient permissions.');
  }

  function checkRead(
    caller: Client,
    name: string,
    document: StoredDocument | undefined,
    lookups: DocumentLookups,
  ) {
    const resource = resourceValue(document);
    ask(
      caller,
      { method: 'get', path: segmentsOf(name), resource, micros: readMicros(), details: [] },
      lookups,
    );
  }

  return {
    checkDatabase: (database = '') => checkProject(database),
    checkReads(caller, names) {
      for (const name of names) checkProject(name);
      if (caller.kind === 'admin') return;
      const lookups = readLookups();
      for (const name of names) checkRead(caller, name, store.read(name), lookups);
    },
    checkList(caller, query) {
      const { scope } = query;
      checkProject(scope.kind === 'collection' ? scope.path : scope.parent);
      if (caller.kind === 'admin') return;
      const lookups = readLookups();
      const details = [['query', queryValue(query)]] as const;
      for (const { path, resource } of listQuestions(query, store.read)) {
        ask(caller, { method: 'list', path, resource, micros: readMicros(), details }, lookups);
      }
    },
    commitCheck: (caller) => (steps, commitMicros) => {
      for (const { name } of steps) checkProject(name);
      if (caller.kind === 'admin') return;
      const after = new Map(steps.map((step) => [step.name, step.after]));
      const lookups = createDocumentLookups(projectId, {
        before: store.read,
        after: (name) => (after.has(name) ? after.get(name) : store.read(name)),
      });
      for (const step of steps) {
        if (step.operation === 'verify') {
          checkRead(caller, step.name, step.before, lookups);
          continue;
        }
        const isDelete = step.operation === 'delete';
        ask(
          caller,
          {
            method: isDelete ? 'delete' : step.before === undefined ? 'create' : 'update',
            path: segmentsOf(step.name),
            resource: resourceValue(step.before),
            // As the server timestamps of the commit, which have milliseconds.
            micros: Math.floor(commitMicros / 1000) * 1000,
            details: [['resource', resourceValue(isDelete ? undefined : step.after)]],
          },
          lookups,
        );
      }
    },
    checkAdmin(caller, name) {
      checkProject(name);
      if (caller.kind === 'admin') return;
      throw new StatusError('PERMISSION_DENIED', 'Missing or insufficient permissions.');
    },
  };
}

function requestValue({ identity }: Client, { method, path, micros, details }: Question): RulesMap {
  const time: Timestamp = { kind: 'timestamp', nanos: BigInt(micros) * 1000n };
  const isKnown = (segment: QuestionPath[number]): segment is string => typeof segment === 'string';
  return new Map<string, RulesValue>([
    ['auth', authValue(identity)],
    ['method', method],
    ['path', path.every(isKnown) ? pathOf(path) : { kind: 'unknown', constraints: [] }],
    ['time', time],
    ...details,
  ]);
}
