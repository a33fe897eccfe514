/** Generations as an app sees them: the contract's document with the web SDK's timestamps, and where it lies. */
import {
  type Generation,
  type GenerationReference,
  generationReference,
  parseGeneration,
} from '@firepod/contract';
import { type DocumentSnapshot, Timestamp } from 'firebase/firestore';
import { FirepodError } from './errors.ts';

/** A generation in one of its four states (`status` tells them apart) with its reference. */
export type FirepodGeneration = Generation<Timestamp> & { readonly reference: GenerationReference };

/** One that has its results. */
export type CompletedFirepodGeneration = Extract<FirepodGeneration, { status: 'completed' }>;

/** The reference of a generation's path. @throws {FirepodError} `not_found` where it is the path of none */
export function referenceTo(path: string): GenerationReference {
  const reference = generationReference(path);
  if (reference !== null) return reference;
  throw new FirepodError('not_found', `${JSON.stringify(path)} is not the path of a generation.`);
}

/**
 * Reads a snapshot, whoever wrote the document: fields of another shape are absent, and the ids are those of the path.
 * Null where there is no document, or one that is in none of the four states or has no `file_uid` for a name. Server
 * timestamps that are still on their way are this machine's estimates, so that a new generation has its place in a list
 * at once.
 */
export function readGeneration(snapshot: DocumentSnapshot): FirepodGeneration | null {
  const data = snapshot.data({ serverTimestamps: 'estimate' });
  const generation = parseGeneration(data, (value) => value instanceof Timestamp);
  const reference = generationReference(snapshot.ref.path);
  if (generation === null || reference === null) return null;
  return { ...generation, user_id: reference.user_id, file_uid: reference.file_uid, reference };
}
