/** The part of the tree that a query looks at: one collection, a collection group, or everything below a parent. */
import { lastSegmentOf, parentOf } from './path.ts';

/**
 * - `collection`: the documents of one collection, `path` being its full name.
 * - `group`: documents below `parent`, at any depth, in collections called `collectionId`.
 * - `descendants`: all documents below `parent`.
 * - `children`: documents of any collection directly below `parent`.
 */
export type Scope =
  | { kind: 'collection'; path: string }
  | { kind: 'group'; parent: string; collectionId: string }
  | { kind: 'descendants'; parent: string }
  | { kind: 'children'; parent: string };

export function isInScope(scope: Scope, documentName: string): boolean {
  const collection = parentOf(documentName);
  switch (scope.kind) {
    case 'collection':
      return collection === scope.path;
    case 'group':
      return lastSegmentOf(collection) === scope.collectionId && documentName.startsWith(`${scope.parent}/`);
    case 'descendants':
      return documentName.startsWith(`${scope.parent}/`);
    case 'children':
      return parentOf(collection) === scope.parent;
  }
}
