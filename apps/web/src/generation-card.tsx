/** One generation in the list: the forming picture with its progress, the finished one, or why there is none. */

import type { FirepodGeneration } from '@firepod/client';
import {
  ActionIcon,
  Badge,
  Button,
  Card,
  CopyButton,
  Group,
  Progress,
  Stack,
  Text,
  Tooltip,
} from '@mantine/core';
import { useState } from 'react';

interface GenerationCardProps {
  generation: FirepodGeneration;
  cancel: () => Promise<unknown>;
}

export function GenerationCard({ generation, cancel }: GenerationCardProps) {
  const prompt = generation.request_data.prompt ?? '';
  return (
    <Card withBorder padding="sm" component="li" data-status={generation.status} aria-label={prompt}>
      <Card.Section className="picture-frame">
        <Picture generation={generation} prompt={prompt} />
      </Card.Section>
      <Stack gap="xs" mt="sm">
        <Text size="sm" lineClamp={2} title={prompt}>
          {prompt}
        </Text>
        <Outcome generation={generation} cancel={cancel} />
      </Stack>
    </Card>
  );
}

function Picture({ generation, prompt }: { generation: FirepodGeneration; prompt: string }) {
  if (generation.status === 'completed') {
    const urls = generation.generation_data.image_urls ?? [];
    const pictures = urls.map((url) => (
      <a key={url} href={url} target="_blank" rel="noreferrer">
        <img src={url} alt={prompt} />
      </a>
    ));
    return urls.length > 1 ? <div className="several-pictures">{pictures}</div> : pictures[0];
  }
  if (generation.status === 'processing' && generation.preview !== null) {
    return <img className="forming" src={generation.preview} alt="" />;
  }
  return (
    <Text c="dimmed" size="sm">
      {generation.status === 'failed' ? 'No picture' : 'Waiting for a worker…'}
    </Text>
  );
}

function Outcome({ generation, cancel }: GenerationCardProps) {
  switch (generation.status) {
    case 'queued':
      return (
        <Group justify="space-between">
          <Badge variant="light" color="gray">
            queued
          </Badge>
          <CancelButton cancel={cancel} />
        </Group>
      );
    case 'processing': {
      const percent = generation.progress?.percent ?? 0;
      return (
        <>
          <Progress.Root size="lg">
            <Progress.Section value={percent} animated aria-label="Progress" />
          </Progress.Root>
          <Group justify="space-between">
            <Badge variant="light">{describeProgress(generation.progress)}</Badge>
            <CancelButton cancel={cancel} />
          </Group>
        </>
      );
    }
    case 'failed':
      return (
        <Text size="sm" c={generation.error_code === 'cancelled' ? 'dimmed' : 'red'} role="status">
          {generation.error}
        </Text>
      );
    case 'completed':
      return <Recipe data={generation.generation_data} />;
  }
}

function describeProgress(
  progress: Extract<FirepodGeneration, { status: 'processing' }>['progress'],
): string {
  if (progress === null) return 'processing';
  const left = progress.eta_seconds === null ? '' : `, ${Math.ceil(progress.eta_seconds)} s left`;
  return `${progress.phase} ${Math.round(progress.percent)} %${left}`;
}

function CancelButton({ cancel }: { cancel: () => Promise<unknown> }) {
  const [busy, setBusy] = useState(false);
  const click = async () => {
    setBusy(true);
    await cancel().finally(() => setBusy(false));
  };
  return (
    <Button size="compact-xs" variant="subtle" color="gray" loading={busy} onClick={() => void click()}>
      Cancel
    </Button>
  );
}

function Recipe({ data }: { data: Extract<FirepodGeneration, { status: 'completed' }>['generation_data'] }) {
  const { seed, width, height, warnings } = data;
  return (
    <Group justify="space-between" gap="xs">
      <Text size="xs" c="dimmed">
        {width !== undefined && `${width}×${height}`}
        {seed !== undefined && `, seed ${seed}`}
      </Text>
      <Group gap={4}>
        {warnings !== undefined && warnings.length > 0 && (
          <Tooltip
            label={warnings.join(' ')}
            multiline
            maw={280}
            events={{ hover: true, focus: true, touch: true }}
          >
            <ActionIcon variant="subtle" color="yellow" size="sm" aria-label={`Notes: ${warnings.join(' ')}`}>
              !
            </ActionIcon>
          </Tooltip>
        )}
        {seed !== undefined && (
          <CopyButton value={String(seed)}>
            {({ copied, copy }) => (
              <Button size="compact-xs" variant="subtle" color="gray" onClick={copy}>
                {copied ? 'Copied' : 'Copy seed'}
              </Button>
            )}
          </CopyButton>
        )}
      </Group>
    </Group>
  );
}
