/** How much one user has asked for, counted from the generations themselves, so that no counter can go wrong. */
import { generationsPath, type ProjectLimits } from '@firepod/contract';
import { type Firestore, type Query, Timestamp, type Transaction } from 'firebase-admin/firestore';
import { FirepodFunctionsError } from './errors.ts';

/** Generations of one user, images and videos together. */
export interface Usage {
  /** Queued and processing. */
  readonly open: number;
  /** Created since midnight UTC. */
  readonly today: number;
}

/**
 * Counts inside a transaction, whose locks make two submissions at the same moment wait for each other. `nowMs` is the
 * database's time.
 */
export async function countUsage(
  transaction: Transaction,
  firestore: Firestore,
  userId: string,
  nowMs: number,
): Promise<Usage> {
  const midnight = Timestamp.fromMillis(Math.floor(nowMs / DAY_MS) * DAY_MS);
  const count = async (narrow: (generations: Query) => Query) => {
    const counted = await Promise.all(
      (['image', 'video'] as const).map((mediaType) =>
        transaction.get(narrow(firestore.collection(generationsPath(userId, mediaType))).count()),
      ),
    );
    return counted.reduce((sum, snapshot) => sum + snapshot.data().count, 0);
  };
  const [open, today] = await Promise.all([
    count((generations) => generations.where('status', 'in', ['queued', 'processing'])),
    count((generations) => generations.where('created_at', '>=', midnight)),
  ]);
  return { open, today };
}

/** @throws {FirepodFunctionsError} `quota_exceeded`, with which limit it was in the details */
export function checkQuota(usage: Usage, limits: ProjectLimits): void {
  const { open_per_user: openMax, daily_per_user: dailyMax } = limits;
  if (usage.open >= openMax) {
    throw new FirepodFunctionsError(
      'quota_exceeded',
      `${usage.open} of your generations are queued or processing, and ${openMax} are allowed at the same time. Wait until one has ended.`,
      { details: { limit: 'open_per_user', maximum: openMax, used: usage.open } },
    );
  }
  if (usage.today >= dailyMax) {
    throw new FirepodFunctionsError(
      'quota_exceeded',
      `You started ${usage.today} generations today, and ${dailyMax} a day (UTC) are allowed. Try again tomorrow.`,
      { details: { limit: 'daily_per_user', maximum: dailyMax, used: usage.today } },
    );
  }
}

const DAY_MS = 24 * 60 * 60_000;
