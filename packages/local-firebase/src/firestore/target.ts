/** One target of a Listen stream: which documents it has shown, and what a commit or a resume changes about them. */
import type { Change, Engine } from './engine.ts';
import type { Guard } from './guard.ts';
import type { Caller } from './identity.ts';
import type { Target } from './messages.ts';
import { parentOf, parseDocumentName } from './path.ts';
import { runQuery } from './run-query.ts';
import type { Scope } from './scope.ts';
import { invalidArgument } from './status.ts';
import type { StoredDocument } from './stored-document.ts';

/** Documents to show and names to take away. */
export type TargetDelta = { shown: StoredDocument[]; removed: string[] };

export type ActiveTarget = {
  readonly id: number;
  /** How many documents the client should have now. */
  count(): number;
  /** Everything that matches, for a client that starts without knowledge; remembers it as shown. */
  start(): TargetDelta;
  /** What changed since a version, or undefined when that cannot be told and the client must start over. */
  resume(sinceVersion: number): TargetDelta | undefined;
  /** What a commit changes. */
  apply(changes: readonly Change[]): TargetDelta;
};

/** @throws StatusError when the target is not valid or the caller may not read it. */
export function createTarget(engine: Engine, guard: Guard, caller: Caller, target: Target): ActiveTarget {
  const id = target.targetId ?? 0;
  if (target.documents !== undefined) {
    const names = target.documents.documents ?? [];
    guard.checkReads(
      caller,
      names.map((name) => parseDocumentName(name).name),
    );
    return createDocumentsTarget(engine, id, new Set(names));
  }
  if (target.query === undefined) throw invalidArgument('A target needs documents or a structured query.');
  const query = engine.compile(target.query.parent, target.query.structuredQuery);
  guard.checkList(caller, query);
  engine.checkIndexes(query);
  const run = () => runQuery(engine.store, query);
  return query.isWindowed
    ? createWindowTarget(id, run, query.matches)
    : createQueryTarget(engine, id, run, query.matches, query.scope);
}

function createDocumentsTarget(engine: Engine, id: number, names: ReadonlySet<string>): ActiveTarget {
  function deltaOf(changed: Iterable<string>): TargetDelta {
    const delta: TargetDelta = { shown: [], removed: [] };
    for (const name of changed) {
      if (!names.has(name)) continue;
      const document = engine.store.read(name);
      if (document === undefined) delta.removed.push(name);
      else delta.shown.push(document);
    }
    return delta;
  }

  return {
    id,
    count: () => deltaOf(names).shown.length,
    start: () => deltaOf(names),
    resume(sinceVersion) {
      const changed = new Set<string>();
      for (const collection of new Set([...names].map(parentOf))) {
        const found = engine.store.changedSince({ kind: 'collection', path: collection }, sinceVersion);
        if (found === undefined) return undefined;
        for (const name of found) changed.add(name);
      }
      return deltaOf(changed);
    },
    apply: (changes) => deltaOf(changes.map(({ name }) => name)),
  };
}

function createQueryTarget(
  engine: Engine,
  id: number,
  run: () => StoredDocument[],
  matches: (document: StoredDocument) => boolean,
  scope: Scope,
): ActiveTarget {
  const shownNames = new Set<string>();

  return {
    id,
    count: () => shownNames.size,
    start() {
      const shown = run();
      for (const { name } of shown) shownNames.add(name);
      return { shown, removed: [] };
    },
    resume(sinceVersion) {
      const changed = engine.store.changedSince(scope, sinceVersion);
      if (changed === undefined) return undefined;
      for (const { name } of run()) shownNames.add(name);
      // A changed document that does not match now may never have been shown: taking it away then does no harm.
      return {
        shown: changed.filter((name) => shownNames.has(name)).map((name) => engine.store.read(name)!),
        removed: changed.filter((name) => !shownNames.has(name)),
      };
    },
    apply(changes) {
      const delta: TargetDelta = { shown: [], removed: [] };
      for (const { name, after } of changes) {
        if (after !== undefined && matches(after)) {
          shownNames.add(name);
          delta.shown.push(after);
        } else if (shownNames.delete(name)) delta.removed.push(name);
      }
      return delta;
    },
  };
}

/** With a limit or an offset one change moves others in and out: the window is computed anew and compared. */
function createWindowTarget(
  id: number,
  run: () => StoredDocument[],
  matches: (document: StoredDocument) => boolean,
): ActiveTarget {
  let shownVersions = new Map<string, number>();

  return {
    id,
    count: () => shownVersions.size,
    start() {
      const shown = run();
      shownVersions = new Map(shown.map(({ name, version }) => [name, version]));
      return { shown, removed: [] };
    },
    resume: () => undefined,
    apply(changes) {
      const isTouched = changes.some(
        ({ before, after }) =>
          (after !== undefined && matches(after)) || (before !== undefined && matches(before)),
      );
      if (!isTouched) return { shown: [], removed: [] };
      const previous = shownVersions;
      const window = run();
      shownVersions = new Map(window.map(({ name, version }) => [name, version]));
      return {
        shown: window.filter(({ name, version }) => previous.get(name) !== version),
        removed: [...previous.keys()].filter((name) => !shownVersions.has(name)),
      };
    },
  };
}
