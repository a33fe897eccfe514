/** Follows one generation. */
import type { GenerationReference } from '@firepod/contract';
import { doc, type Firestore, onSnapshot } from 'firebase/firestore';
import type { FirepodError } from './errors.ts';
import { fromFirestoreError } from './firebase-errors.ts';
import { type FirepodGeneration, readGeneration } from './generation.ts';

/**
 * Calls `onChange` with the generation now and after each change. One that does not exist yet is waited for; one that
 * was there and has been deleted is null. After `onError` nothing more is called. Returns what ends it.
 */
export function watchGeneration(
  firestore: Firestore,
  reference: GenerationReference,
  onChange: (generation: FirepodGeneration | null) => void,
  onError: (error: FirepodError) => void,
): () => void {
  let wasThere = false;
  return onSnapshot(
    doc(firestore, reference.path),
    (snapshot) => {
      const generation = readGeneration(snapshot);
      if (generation === null && !wasThere) return;
      wasThere = generation !== null;
      onChange(generation);
    },
    (error) => onError(fromFirestoreError(error)),
  );
}
