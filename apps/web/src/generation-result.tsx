/** What is known of a finished generation, and what can be done with it: save it, or start from one of its pictures. */
import type { CompletedFirepodGeneration } from '@firepod/client';
import { Button, CopyButton, Group, Text, UnstyledButton } from '@mantine/core';
import { withoutField } from './problem-words.ts';
import { resultFileName, saveResult } from './result-file.ts';
import type { StartPicture } from './start-picture.ts';

interface GenerationResultProps {
  data: CompletedFirepodGeneration['generation_data'];
  prompt: string;
  /** Absent where no model makes a picture from another. */
  startFrom: ((picture: StartPicture) => void) | undefined;
}

export function GenerationResult({ data, prompt, startFrom }: GenerationResultProps) {
  const { seed, width, height, video_url, image_urls = [] } = data;
  const urls = video_url === undefined ? image_urls : [video_url];
  const seconds = secondsOf(data);
  return (
    <>
      <Group gap={8} c="dimmed" fz="xs" className="facts">
        {seconds !== undefined && <span>{seconds.toFixed(1)} s</span>}
        {width !== undefined && height !== undefined && (
          <span>
            {width}×{height}
          </span>
        )}
        {seed !== undefined && (
          <CopyButton value={String(seed)}>
            {({ copied, copy }) => (
              <UnstyledButton fz="xs" c="dimmed" className="seed" onClick={copy} title="Copy the seed">
                {copied ? 'seed copied' : `seed ${seed}`}
              </UnstyledButton>
            )}
          </CopyButton>
        )}
      </Group>
      {data.warnings?.map((warning) => (
        <Text key={warning} size="xs" c="dimmed" className="warning">
          {withoutField(warning)}
        </Text>
      ))}
      <Group gap="xs" className="result-actions">
        <EachResult
          one="Save"
          several="Save"
          urls={urls}
          act={(url) => void saveResult(url, resultFileName(prompt, seed, url))}
        />
        {startFrom !== undefined && video_url === undefined && (
          <EachResult
            one="Start from this"
            several="Start from"
            urls={urls}
            act={(url) => startFrom({ name: prompt, url, file: null })}
          />
        )}
      </Group>
    </>
  );
}

interface EachResultProps {
  /** The words of the button for the only result. */
  one: string;
  /** The words before the numbers of several. */
  several: string;
  urls: readonly string[];
  act: (url: string) => void;
}

function EachResult({ one, several, urls, act }: EachResultProps) {
  const button = (url: string, words: string | number, name?: string) => (
    <Button key={url} size="compact-sm" variant="default" onClick={() => act(url)} aria-label={name}>
      {words}
    </Button>
  );
  if (urls.length < 2) return urls.map((url) => button(url, one));
  return (
    <Group gap={4}>
      <Text size="xs" c="dimmed" aria-hidden>
        {several}
      </Text>
      {urls.map((url, index) => button(url, index + 1, `${several} picture ${index + 1}`))}
    </Group>
  );
}

/** As the worker tells it, or as it follows from what a guide's worker tells. */
function secondsOf({ duration_seconds, num_frames, fps }: GenerationResultProps['data']): number | undefined {
  const seconds = duration_seconds ?? Number(num_frames) / Number(fps);
  return Number.isFinite(seconds) ? Number(seconds) : undefined;
}
