/** The signed-in user's generations as a live list, newest first. */
import { generationsPath, type MediaType } from '@firepod/contract';
import type { Auth } from 'firebase/auth';
import { collection, type Firestore, limit, onSnapshot, orderBy, query } from 'firebase/firestore';
import { FirepodError } from './errors.ts';
import { fromFirestoreError } from './firebase-errors.ts';
import { type FirepodGeneration, readGeneration } from './generation.ts';

/** Which generations `list` shows. */
export interface ListOptions {
  /** Only images or only videos; default: both. */
  readonly mediaType?: MediaType | undefined;
  /** How many of the newest; default 30. */
  readonly limit?: number | undefined;
}

const DEFAULT_LIMIT = 30;

/**
 * Calls `onChange` with the newest generations now and after each change of one of them. It is the list of the user who
 * is signed in once the SDK knows (`authStateReady`); call again for another user. After `onError` nothing more is
 * called: `signed_out` where nobody is. Returns what ends it.
 */
export function listGenerations(
  { auth, firestore }: { auth: Auth; firestore: Firestore },
  options: ListOptions,
  onChange: (generations: readonly FirepodGeneration[]) => void,
  onError: (error: FirepodError) => void,
): () => void {
  const { mediaType, limit: maximum = DEFAULT_LIMIT } = options;
  const mediaTypes: readonly MediaType[] = mediaType === undefined ? ['image', 'video'] : [mediaType];
  const newest = new Map<MediaType, readonly FirepodGeneration[]>();
  const unsubscribes: (() => void)[] = [];
  let isStopped = false;

  function stop(): void {
    isStopped = true;
    for (const unsubscribe of unsubscribes) unsubscribe();
  }

  function fail(error: FirepodError): void {
    if (isStopped) return;
    stop();
    onError(error);
  }

  function start(): void {
    if (isStopped) return;
    const userId = auth.currentUser?.uid;
    if (userId === undefined) {
      fail(new FirepodError('signed_out'));
      return;
    }
    for (const media of mediaTypes) {
      const generations = collection(firestore, generationsPath(userId, media));
      const unsubscribe = onSnapshot(
        query(generations, orderBy('created_at', 'desc'), limit(maximum)),
        (snapshot) => {
          newest.set(
            media,
            snapshot.docs.map(readGeneration).filter((generation) => generation !== null),
          );
          if (newest.size === mediaTypes.length) onChange(mergeNewest([...newest.values()], maximum));
        },
        (error) => fail(fromFirestoreError(error)),
      );
      unsubscribes.push(unsubscribe);
    }
  }

  auth.authStateReady().then(start, (cause: unknown) => fail(new FirepodError('unavailable', '', { cause })));
  return stop;
}

/** Several lists as one, newest first; those of the same moment in the order of their ids, so that none jumps. */
export function mergeNewest(
  lists: readonly (readonly FirepodGeneration[])[],
  maximum: number,
): readonly FirepodGeneration[] {
  return lists.flat().sort(compareNewestFirst).slice(0, maximum);
}

function compareNewestFirst(a: FirepodGeneration, b: FirepodGeneration): number {
  const [first, second] = [a.created_at, b.created_at];
  const byTime =
    (second?.seconds ?? 0) - (first?.seconds ?? 0) || (second?.nanoseconds ?? 0) - (first?.nanoseconds ?? 0);
  return byTime || (a.file_uid < b.file_uid ? -1 : 1);
}
