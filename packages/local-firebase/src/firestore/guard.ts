/** The door to every document: refuses other projects, and clients that the access table does not let in. */
import type { PathAccess } from '../path-access.ts';
import type { Caller } from './identity.ts';
import { relativePath } from './path.ts';
import type { Scope } from './scope.ts';
import { invalidArgument, StatusError } from './status.ts';

/** Each check throws StatusError: INVALID_ARGUMENT for a foreign project, PERMISSION_DENIED for a client not let in. */
export type Guard = {
  checkDatabase(database: string | undefined): void;
  checkRead(caller: Caller, documentName: string): void;
  checkWrite(caller: Caller, documentName: string): void;
  checkList(caller: Caller, scope: Scope): void;
  /** For what clients may never do. */
  checkAdmin(caller: Caller, name: string): void;
};

export function createGuard(projectId: string, access: PathAccess): Guard {
  const prefix = `projects/${projectId}/databases/`;

  function checkProject(name: string): void {
    if (name.startsWith(prefix)) return;
    throw invalidArgument(`"${name}" is not in project "${projectId}", the one that this server holds.`);
  }

  function checkPath(caller: Caller, name: string, path: string, operation: 'read' | 'write'): void {
    checkProject(name);
    if (caller.kind === 'admin' || access({ path, operation, uid: caller.uid })) return;
    throw denied();
  }

  return {
    checkDatabase: (database = '') => checkProject(database),
    checkRead: (caller, name) => checkPath(caller, name, relativePath(name), 'read'),
    checkWrite: (caller, name) => checkPath(caller, name, relativePath(name), 'write'),
    checkList(caller, scope) {
      const name = scope.kind === 'collection' ? scope.path : scope.parent;
      // A list is allowed where a rule holds for every name that could be in it.
      const pattern = { collection: '*', children: '*/*', group: '**', descendants: '**' }[scope.kind];
      checkPath(caller, name, `${relativePath(name)}/${pattern}`, 'read');
    },
    checkAdmin(caller, name) {
      checkProject(name);
      if (caller.kind !== 'admin') throw denied();
    },
  };
}

/** The SDKs' own words. */
function denied(): StatusError {
  return new StatusError('PERMISSION_DENIED', 'Missing or insufficient permissions.');
}
