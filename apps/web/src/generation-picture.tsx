/** The square on top of a generation: its pictures or video, the forming one, or in words why there is none. */
import type { FirepodGeneration } from '@firepod/client';
import { Text } from '@mantine/core';
import { useState } from 'react';
import { GenerationVideo } from './generation-video.tsx';
import { withoutField } from './problem-words.ts';

interface GenerationPictureProps {
  generation: FirepodGeneration;
  prompt: string;
}

export function GenerationPicture({ generation, prompt }: GenerationPictureProps) {
  // The document loses its preview when it ends; it stays on screen until the picture has come from Storage.
  const [lastPreview, setLastPreview] = useState<string>();
  const preview = generation.status === 'processing' ? generation.preview : null;
  if (preview !== null && preview !== lastPreview) setLastPreview(preview);

  return (
    <div className="picture-frame">
      {lastPreview !== undefined && generation.status !== 'failed' && (
        <img className="forming" src={lastPreview} alt="" />
      )}
      <Content
        generation={generation}
        prompt={prompt}
        hasPreview={lastPreview !== undefined}
        forget={() => setLastPreview(undefined)}
      />
    </div>
  );
}

interface ContentProps extends GenerationPictureProps {
  hasPreview: boolean;
  /** Called when the picture has come and the preview is no longer needed. */
  forget: () => void;
}

function Content({ generation, prompt, hasPreview, forget }: ContentProps) {
  switch (generation.status) {
    case 'queued':
      return <Words>Waiting for a worker</Words>;
    case 'processing':
      return hasPreview ? null : <Words>Getting ready</Words>;
    case 'failed':
      return generation.error_code === 'cancelled' ? (
        <Words>Cancelled</Words>
      ) : (
        <Words color="red">{withoutField(generation.error)}</Words>
      );
    case 'completed':
      return <Results data={generation.generation_data} prompt={prompt} onShown={forget} />;
  }
}

function Words({ color = 'dimmed', children }: { color?: string; children: string }) {
  return (
    <Text c={color} size="sm" ta="center" p="md" className="frame-words">
      {children}
    </Text>
  );
}

type Data = Extract<FirepodGeneration, { status: 'completed' }>['generation_data'];

function Results({ data, prompt, onShown }: { data: Data; prompt: string; onShown: () => void }) {
  if (data.video_url !== undefined) {
    return <ResultVideo url={data.video_url} poster={data.poster_url} prompt={prompt} onShown={onShown} />;
  }
  const urls = data.image_urls ?? [];
  if (urls.length === 0) return <Words>No picture was kept</Words>;
  return (
    <div className={urls.length > 1 ? 'pictures several' : 'pictures'}>
      {urls.map((url, index) => (
        <ResultPicture
          key={url}
          url={url}
          onShown={onShown}
          prompt={urls.length > 1 ? `${prompt} (${index + 1} of ${urls.length})` : prompt}
        />
      ))}
    </div>
  );
}

interface ResultProps {
  url: string;
  prompt: string;
  onShown: () => void;
}

function ResultVideo({ poster, ...props }: ResultProps & { poster: string | undefined }) {
  const [isMissing, setIsMissing] = useState(false);
  if (isMissing) return <Words>The video could not be loaded.</Words>;
  return <GenerationVideo {...props} poster={poster} onMissing={() => setIsMissing(true)} />;
}

function ResultPicture({ url, prompt, onShown }: ResultProps) {
  const [isMissing, setIsMissing] = useState(false);
  if (isMissing) return <Words>The picture could not be loaded.</Words>;
  return (
    <a href={url} target="_blank" rel="noreferrer" title="Open the picture">
      <img
        src={url}
        alt={prompt}
        loading="lazy"
        decoding="async"
        onLoad={onShown}
        onError={() => setIsMissing(true)}
      />
    </a>
  );
}
