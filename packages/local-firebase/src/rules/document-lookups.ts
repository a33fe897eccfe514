/** `get()`, `exists()` and their "after" forms: finds documents, and counts how many a request has asked for. */
import { LimitError } from './evaluator.ts';
import { type DocumentReader, resourceValue } from './firestore-values.ts';
import { EvaluationError, type Path, pathText, type RulesValue } from './values.ts';

// https://firebase.google.com/docs/firestore/security/rules-conditions#access_call_limits
const maxPerOperation = 10;
const maxPerRequest = 20;

/** The lookups of one request, which may have several operations: the writes of a batch, the names of a batch get. */
export type DocumentLookups = {
  /** What one operation looks documents up with; see `Evaluation.document`. Repeated lookups are free. */
  forOperation(): (path: Path, isAfter: boolean) => RulesValue;
};

/**
 * @param readers How to read a document as it is, and as the request would leave it.
 * @param limit How many documents one operation may ask for.
 */
export function createDocumentLookups(
  projectId: string,
  readers: { before: DocumentReader; after: DocumentReader },
  limit = maxPerOperation,
): DocumentLookups {
  const found = new Map<string, RulesValue>();
  return {
    forOperation() {
      const asked = new Set<string>();
      return (path, isAfter) => {
        const name = documentName(projectId, path);
        const key = `${isAfter ? 'after' : 'before'} ${name}`;
        asked.add(key);
        const known = found.get(key);
        if (asked.size > limit || (known === undefined && found.size >= maxPerRequest)) {
          throw new LimitError('The request looks up more documents than it may.');
        }
        if (known !== undefined) return known;
        const value = resourceValue(isAfter ? readers.after(name) : readers.before(name));
        found.set(key, value);
        return value;
      };
    },
  };
}

/** @throws EvaluationError when the path is not `/databases/{database}/documents/…` with a collection for each document. */
function documentName(projectId: string, path: Path): string {
  const [databases, , documents, ...rest] = path.segments;
  const isDocument =
    databases === 'databases' && documents === 'documents' && rest.length > 0 && rest.length % 2 === 0;
  if (!isDocument || path.segments.some((segment) => segment === '' || segment.includes('/'))) {
    throw new EvaluationError(`${pathText(path)} is not the path of a document.`);
  }
  return `projects/${projectId}/${path.segments.join('/')}`;
}
