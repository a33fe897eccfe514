/** The four generation preconditions of Cloud Storage requests. */
import { invalid, notModified, preconditionFailed } from './errors.ts';
import type { StoredObject } from './object.ts';

/** Absent members ask nothing. Generation 0 means "no such object". */
export type Preconditions = {
  generationMatch?: number;
  generationNotMatch?: number;
  metagenerationMatch?: number;
  metagenerationNotMatch?: number;
};

/** Reads `ifGenerationMatch` and its kin; `side` is `Source` for the source of a copy. @throws StorageRequestError 400 */
export function preconditionsOf(query: Record<string, string>, side: '' | 'Source' = ''): Preconditions {
  return readPreconditions((name) => [`if${side}${name}`, query[`if${side}${name}`]]);
}

/** The same from `x-goog-if-generation-match` and its kin. @throws StorageRequestError 400 */
export function xmlPreconditionsOf(headers: Headers): Preconditions {
  return readPreconditions((name) => {
    const header = `x-goog-if${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return [header, headers.get(header) ?? undefined];
  });
}

function readPreconditions(read: (name: string) => [name: string, value: string | undefined]): Preconditions {
  const number = (name: string): number | undefined => {
    const [sent, text] = read(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,16}$/.test(text)) throw invalid(`Invalid value for ${sent}: ${JSON.stringify(text)}`);
    return Number(text);
  };
  const named = {
    generationMatch: number('GenerationMatch'),
    generationNotMatch: number('GenerationNotMatch'),
    metagenerationMatch: number('MetagenerationMatch'),
    metagenerationNotMatch: number('MetagenerationNotMatch'),
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/**
 * @throws StorageRequestError unless the current object, or its absence, is as the caller believes: 412, or 304 where a reader
 *   asked for another one than it has.
 */
export function ensurePreconditions(
  current: StoredObject | null,
  expected: Preconditions,
  access: 'read' | 'write' = 'write',
): void {
  const generation = current?.generation ?? 0;
  const metageneration = current?.metageneration ?? 0;
  const matches =
    (expected.generationMatch ?? generation) === generation &&
    (expected.metagenerationMatch ?? metageneration) === metageneration;
  if (!matches) throw preconditionFailed();
  const differs =
    expected.generationNotMatch !== generation && expected.metagenerationNotMatch !== metageneration;
  if (!differs) throw access === 'read' ? notModified() : preconditionFailed();
}
