/** A finished video: plays in its place in the list while it can be seen, unless a person wants things to stand still. */
import { useReducedMotion } from '@mantine/hooks';
import { useEffect, useRef } from 'react';

interface GenerationVideoProps {
  url: string;
  poster: string | undefined;
  prompt: string;
  onShown: () => void;
  onMissing: () => void;
}

export function GenerationVideo({ url, poster, prompt, onShown, onMissing }: GenerationVideoProps) {
  const video = useRef<HTMLVideoElement>(null);
  const isStill = useReducedMotion(undefined, { getInitialValueInEffect: false });
  useEffect(() => {
    const element = video.current;
    if (element === null || isStill) return;
    let isInSight = false;
    // What was stopped by hand stays so when it comes into sight again.
    let isPlaying = true;
    const observer = new IntersectionObserver(
      (entries) => {
        if (isInSight) isPlaying = !element.paused;
        isInSight = entries.at(-1)?.isIntersecting ?? false;
        if (!isInSight) element.pause();
        // A browser that lets nothing play by itself leaves the poster and the controls.
        else if (isPlaying) element.play().catch(() => undefined);
      },
      { threshold: 0.5 },
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      element.pause();
    };
  }, [isStill]);
  return (
    <video
      ref={video}
      src={url}
      poster={poster}
      preload="metadata"
      controls
      loop
      muted
      playsInline
      aria-label={prompt}
      onLoadedData={onShown}
      onError={onMissing}
    />
  );
}
