import { type ModelCard, modelCardSchema } from '@firepod/contract';
import { expect, test } from 'vitest';
import { cardFor, offeredMedia, taskOf } from './offered-tasks.ts';

const cardOf = (id: string, tasks: ModelCard['tasks']) =>
  modelCardSchema.parse({
    id,
    name: id,
    version: '1',
    tasks,
    native_size: { width: 64, height: 64 },
    size_multiple: 8,
    defaults: {},
    licence: 'MIT',
  });

test('what is offered is what the cards have, pictures first; without cards it is pictures', () => {
  const film = cardOf('film', ['text2video']);
  expect(offeredMedia([film, cardOf('paint', ['text2img'])])).toEqual(['image', 'video']);
  expect(offeredMedia([film])).toEqual(['video']);
  expect(offeredMedia([])).toEqual(['image']);
});

test('each task has the card of the first model that does it', () => {
  const cards = [cardOf('paint', ['text2img']), cardOf('mend', ['text2img', 'inpaint'])];
  expect(cardFor(cards, taskOf('image', { hasSource: false, hasMask: false }))?.id).toBe('paint');
  expect(cardFor(cards, taskOf('image', { hasSource: true, hasMask: true }))?.id).toBe('mend');
  expect(cardFor(cards, taskOf('image', { hasSource: true, hasMask: false }))).toBeUndefined();
  expect(taskOf('video', { hasSource: true, hasMask: true })).toBe('text2video');
});
