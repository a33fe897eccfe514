/** The four generation preconditions of Cloud Storage requests. */
import { invalid, preconditionFailed } from './errors.ts';
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
  const number = (name: string): number | undefined => {
    const text = query[`if${side}${name}`];
    if (text === undefined) return undefined;
    if (!/^\d{1,16}$/.test(text))
      throw invalid(`Invalid value for if${side}${name}: ${JSON.stringify(text)}`);
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

/** @throws StorageRequestError 412 unless the current object, or its absence, is as the caller believes. */
export function ensurePreconditions(current: StoredObject | null, expected: Preconditions): void {
  const generation = current?.generation ?? 0;
  const metageneration = current?.metageneration ?? 0;
  const holds =
    (expected.generationMatch ?? generation) === generation &&
    expected.generationNotMatch !== generation &&
    (expected.metagenerationMatch ?? metageneration) === metageneration &&
    expected.metagenerationNotMatch !== metageneration;
  if (!holds) throw preconditionFailed();
}
