/** Live values of Firestore as React state: the user's generations, and the card of the model that paints. */
import type { FirepodClient, FirepodError, FirepodGeneration } from '@firepod/client';
import { COLLECTIONS, type ModelCard, modelCardSchema } from '@firepod/contract';
import { collection, type Firestore, limit, onSnapshot, query } from 'firebase/firestore';
import { useEffect, useState } from 'react';

interface LiveList {
  /** Undefined until the first answer. */
  generations: readonly FirepodGeneration[] | undefined;
  error: FirepodError | undefined;
}

/** The newest generations of the signed-in user, newest first. */
export function useGenerations(client: FirepodClient, maximum: number): LiveList {
  const [list, setList] = useState<LiveList>({ generations: undefined, error: undefined });
  useEffect(
    () =>
      client.list(
        { limit: maximum },
        (generations) => setList({ generations, error: undefined }),
        (error) => setList((before) => ({ ...before, error })),
      ),
    [client, maximum],
  );
  return list;
}

/** The published model card; undefined while there is none, and then the form offers no defaults and no examples. */
export function useModelCard(firestore: Firestore): ModelCard | undefined {
  const [card, setCard] = useState<ModelCard>();
  useEffect(
    () =>
      onSnapshot(
        query(collection(firestore, COLLECTIONS.models), limit(1)),
        (snapshot) => setCard(modelCardSchema.safeParse(snapshot.docs[0]?.data()).data),
        () => setCard(undefined),
      ),
    [firestore],
  );
  return card;
}
