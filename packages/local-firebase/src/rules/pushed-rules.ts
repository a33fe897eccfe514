/** Rules that a test sends to a running service, in the form of the emulators' endpoints. */
import { LocalFirebaseError } from '../errors.ts';

/**
 * The source in `{"rules": {"files": [{"content": "…"}]}}`.
 *
 * @throws LocalFirebaseError `invalid_rules` when the body is something else.
 */
export function pushedRules(body: string): string {
  const content = contentOf(body);
  if (content !== undefined) return content;
  throw new LocalFirebaseError(
    'invalid_rules',
    'Expected {"rules": {"files": [{"content": "…"}]}} with the source of one rules file.',
  );
}

function contentOf(body: string): string | undefined {
  let json: { rules?: { files?: { content?: unknown }[] } } | null;
  try {
    json = JSON.parse(body) as typeof json;
  } catch {
    // Not JSON: the caller says what was expected.
    return undefined;
  }
  const files = json?.rules?.files;
  const content = Array.isArray(files) && files.length === 1 ? files[0]?.content : undefined;
  return typeof content === 'string' ? content : undefined;
}
