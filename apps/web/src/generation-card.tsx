/** One generation in the list: the picture, the video or what stands in its place, and below it how it is going. */

import { FirepodError, type FirepodGeneration } from '@firepod/client';
import { Button, Card, Group, Progress, Stack, Text } from '@mantine/core';
import { useRef, useState } from 'react';
import { GenerationPicture } from './generation-picture.tsx';
import { GenerationResult } from './generation-result.tsx';
import { progressWords } from './progress-words.ts';
import type { StartPicture } from './start-picture.ts';

interface GenerationCardProps {
  generation: FirepodGeneration;
  cancel: () => Promise<unknown>;
  /** Makes one of its pictures the one that the form starts from; absent where no model can. */
  startFrom?: ((picture: StartPicture) => void) | undefined;
}

export function GenerationCard({ generation, cancel, startFrom }: GenerationCardProps) {
  const card = useRef<HTMLLIElement>(null);
  const prompt = generation.request_data.prompt ?? 'No prompt';
  const percent = generation.status === 'processing' ? (generation.progress?.percent ?? 0) : 0;
  const cancelAndKeepFocus = async () => {
    await cancel();
    // The button that had the focus goes away.
    card.current?.focus();
  };
  return (
    <Card
      ref={card}
      withBorder
      shadow="xs"
      padding="sm"
      component="li"
      tabIndex={-1}
      data-status={generation.status}
      aria-label={prompt}
    >
      <Card.Section className="picture-section">
        <GenerationPicture generation={generation} prompt={prompt} />
        {generation.status === 'processing' && (
          <Progress.Root size={6} radius={0} transitionDuration={400} className="progress-bar">
            {/* Mantine's own aria would read the bare percentage instead of the words. */}
            <Progress.Section
              value={percent}
              withAria={false}
              role="progressbar"
              aria-label={`Progress of ${prompt}`}
              aria-valuemin={0}
              aria-valuemax={100}
              aria-valuenow={percent}
              aria-valuetext={progressWords(generation)}
            />
          </Progress.Root>
        )}
      </Card.Section>
      <Stack gap={6} mt="sm">
        <Text size="sm" fw={500} lineClamp={2} title={prompt}>
          {prompt}
        </Text>
        <Outcome generation={generation} prompt={prompt} cancel={cancelAndKeepFocus} startFrom={startFrom} />
      </Stack>
    </Card>
  );
}

function Outcome({ generation, prompt, cancel, startFrom }: GenerationCardProps & { prompt: string }) {
  switch (generation.status) {
    case 'queued':
      return <OpenState words="Queued" cancel={cancel} />;
    case 'processing':
      return <OpenState words={progressWords(generation)} cancel={cancel} />;
    case 'failed':
      return null;
    case 'completed':
      return <GenerationResult data={generation.generation_data} prompt={prompt} startFrom={startFrom} />;
  }
}

/** What is happening, and the way to end it. */
function OpenState({ words, cancel }: { words: string; cancel: () => Promise<unknown> }) {
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const click = async () => {
    setIsBusy(true);
    setFailure(undefined);
    try {
      await cancel();
    } catch (error) {
      if (!(error instanceof FirepodError)) throw error;
      setFailure(`Not cancelled. ${error.message}`);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <>
      <Group justify="space-between" gap="xs">
        <Text size="sm" c="dimmed" className="progress-words">
          {words}
        </Text>
        <Button size="compact-sm" variant="default" loading={isBusy} onClick={() => void click()}>
          Cancel
        </Button>
      </Group>
      {failure !== undefined && (
        <Text size="xs" c="red" role="alert">
          {failure}
        </Text>
      )}
    </>
  );
}
