/** Live values of Firestore as React state: the user's generations, the cards of the models, and the connection. */
import type { FirepodClient, FirepodError, FirepodGeneration } from '@firepod/client';
import { COLLECTIONS, type ModelCard, modelCardSchema } from '@firepod/contract';
import { collection, type Firestore, limit, onSnapshot, query } from 'firebase/firestore';
import { useEffect, useRef, useState } from 'react';
import { announcementsOf } from './announcements.ts';

interface LiveList {
  /** Undefined until the first answer. */
  generations: readonly FirepodGeneration[] | undefined;
  /** Why the list has ended. */
  error: FirepodError | undefined;
  /** Listens anew after an error. */
  retry: () => void;
}

/** The newest generations of the signed-in user, newest first. */
export function useGenerations(client: FirepodClient, maximum: number): LiveList {
  const [list, setList] = useState<Omit<LiveList, 'retry'>>({ generations: undefined, error: undefined });
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another listener
  useEffect(
    () =>
      client.list(
        { limit: maximum },
        (generations) => setList({ generations, error: undefined }),
        (error) => setList((before) => ({ ...before, error })),
      ),
    [client, maximum, attempt],
  );
  const retry = () => {
    setList((before) => ({ ...before, error: undefined }));
    setAttempt((before) => before + 1);
  };
  return { ...list, retry };
}

/** A list that is not told to be current for this long counts as cut off; at a start it takes a moment to be. */
const outOfReachMs = 4_000;

interface LiveModels {
  /** Empty while none is known, and then the form offers no defaults and no examples. */
  cards: readonly ModelCard[];
  /** Whether Firestore has been out of reach for a while, so that what is shown may be old. */
  isOutOfReach: boolean;
}

/** More models than this no deployment serves to one studio. */
const listedModels = 20;

/** The published cards in the order of their ids, and, by their listener, whether Firestore answers. */
export function useModelCards(firestore: Firestore): LiveModels {
  const [cards, setCards] = useState<readonly ModelCard[]>([]);
  const [isCurrent, setIsCurrent] = useState(false);
  const [isOutOfReach, setIsOutOfReach] = useState(false);
  useEffect(() => {
    const models = collection(firestore, COLLECTIONS.models);
    return onSnapshot(
      query(models, limit(listedModels)),
      { includeMetadataChanges: true },
      (snapshot) => {
        setIsCurrent(!snapshot.metadata.fromCache);
        if (snapshot.docChanges().length === 0) return;
        const read = snapshot.docs.map((document) => modelCardSchema.safeParse(document.data()).data);
        setCards(read.filter((card) => card !== undefined));
      },
      // A refusal is an answer: the form works without a card.
      () => setIsCurrent(true),
    );
  }, [firestore]);
  useEffect(() => {
    if (isCurrent) {
      setIsOutOfReach(false);
      return;
    }
    const timer = setTimeout(() => setIsOutOfReach(true), outOfReachMs);
    return () => clearTimeout(timer);
  }, [isCurrent]);
  return { cards, isOutOfReach };
}

/** The latest changes of state in words, for a live region. */
export function useAnnouncement(generations: readonly FirepodGeneration[] | undefined): string {
  const before = useRef<readonly FirepodGeneration[]>(undefined);
  const [announcement, setAnnouncement] = useState('');
  useEffect(() => {
    if (generations === undefined) return;
    const sentences = announcementsOf(before.current, generations);
    before.current = generations;
    if (sentences.length > 0) setAnnouncement(sentences.join(' '));
  }, [generations]);
  return announcement;
}
