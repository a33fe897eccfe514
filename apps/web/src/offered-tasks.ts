/** What the published models can make, and which of them makes what is being asked for. */
import type { MediaType } from '@firepod/client';
import { type ModelCard, mediaTypeOf, type TaskType } from '@firepod/contract';

/** Whether some model has the task. */
export function isOffered(cards: readonly ModelCard[], task: TaskType): boolean {
  return cardFor(cards, task) !== undefined;
}

/** The card of the model that does the task; undefined where none is published. */
export function cardFor(cards: readonly ModelCard[], task: TaskType): ModelCard | undefined {
  return cards.find(({ tasks }) => tasks.includes(task));
}

/** Pictures, videos or both. Where no card is known pictures: the form works without one. */
export function offeredMedia(cards: readonly ModelCard[]): readonly MediaType[] {
  const offered = new Set(cards.flatMap(({ tasks }) => tasks.map(mediaTypeOf)));
  const media = (['image', 'video'] as const).filter((type) => offered.has(type));
  return media.length === 0 ? ['image'] : media;
}

/** The task that a form means, as the contract infers it from what is sent. */
export function taskOf(media: MediaType, start: { hasSource: boolean; hasMask: boolean }): TaskType {
  if (media === 'video') return 'text2video';
  if (!start.hasSource) return 'text2img';
  return start.hasMask ? 'inpaint' : 'img2img';
}
