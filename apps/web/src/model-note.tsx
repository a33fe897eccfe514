/** Which model paints, and on demand what it knows and what it cannot do, as its card says. */
import type { ModelCard } from '@firepod/contract';
import { Text } from '@mantine/core';

export function ModelNote({ card }: { card: ModelCard }) {
  const { subjects = [], backgrounds = [], positions = [], sizes = [], motions = [] } = card.vocabulary ?? {};
  const lists = [
    ['Subjects', subjects],
    ['Backgrounds', backgrounds],
    ['Places', positions],
    ['Sizes', sizes],
    ['Motions', motions],
  ] as const;
  const named = lists.filter(([, words]) => words.length > 0);
  if (named.length === 0 && card.cannot.length === 0) {
    return (
      <Text size="xs" c="dimmed">
        {card.name}
      </Text>
    );
  }
  return (
    <Text size="xs" c="dimmed" component="details" className="model-note">
      <summary>{card.name} · what it can make</summary>
      {named.map(([name, words]) => (
        <p key={name}>
          <strong>{name}</strong> {words.join(', ')}
        </p>
      ))}
      {card.cannot.length > 0 && (
        <ul>
          {card.cannot.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
    </Text>
  );
}
