/** Everything that the user asked for, newest first; before the first answer and the first picture a word on that. */
import type { FirepodGeneration } from '@firepod/client';
import { Center, Loader, Text } from '@mantine/core';
import { GenerationCard } from './generation-card.tsx';

interface GenerationListProps {
  /** Undefined until the first answer. */
  generations: readonly FirepodGeneration[] | undefined;
  /** Whether the server can be heard: else an empty list says nothing, and nothing is on its way. */
  isCurrent: boolean;
  cancel: (generation: FirepodGeneration) => Promise<unknown>;
}

export function GenerationList({ generations, isCurrent, cancel }: GenerationListProps) {
  if (generations === undefined) {
    return isCurrent ? (
      <Center py="xl">
        <Loader role="status" aria-label="Loading your pictures" />
      </Center>
    ) : null;
  }
  if (generations.length === 0) {
    return isCurrent ? (
      <Text c="dimmed" ta="center" py="xl" className="empty-list">
        Nothing painted yet. Describe a picture above, or try an example: it forms here while you watch.
      </Text>
    ) : null;
  }
  return (
    <ul className="generation-list" aria-label="Your pictures">
      {generations.map((generation) => (
        <GenerationCard
          key={generation.reference.path}
          generation={generation}
          cancel={() => cancel(generation)}
        />
      ))}
    </ul>
  );
}
