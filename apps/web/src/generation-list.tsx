/** Everything that the user asked for, newest first; before the first answer and the first picture a word on that. */
import type { FirepodGeneration } from '@firepod/client';
import { Center, Loader, Text } from '@mantine/core';
import { GenerationCard } from './generation-card.tsx';
import type { StartPicture } from './start-picture.ts';

interface GenerationListProps {
  /** Undefined until the first answer. */
  generations: readonly FirepodGeneration[] | undefined;
  /** Whether the server can be heard: else an empty list says nothing, and nothing is on its way. */
  isCurrent: boolean;
  cancel: (generation: FirepodGeneration) => Promise<unknown>;
  /** Absent where no model makes a picture from another. */
  startFrom?: ((picture: StartPicture) => void) | undefined;
}

export function GenerationList({ generations, isCurrent, cancel, startFrom }: GenerationListProps) {
  if (generations === undefined) {
    return isCurrent ? (
      <Center py="xl">
        <Loader role="status" aria-label="Loading your pictures and videos" />
      </Center>
    ) : null;
  }
  if (generations.length === 0) {
    return isCurrent ? (
      <Text c="dimmed" ta="center" py="xl" className="empty-list">
        Nothing painted yet. Say above what to make, or try an example: it forms here while you watch.
      </Text>
    ) : null;
  }
  return (
    <ul className="generation-list" aria-label="Your pictures and videos">
      {generations.map((generation) => (
        <GenerationCard
          key={generation.reference.path}
          generation={generation}
          cancel={() => cancel(generation)}
          startFrom={startFrom}
        />
      ))}
    </ul>
  );
}
