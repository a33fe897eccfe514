/** What a worker is doing, in the words of somebody who waits for a picture or a video. */
import type { FirepodGeneration, MediaType, Progress } from '@firepod/client';

const phases: Record<Progress['phase'], string | Record<MediaType, string>> = {
  starting: 'Starting',
  loading: 'Loading the model',
  encoding: 'Reading the prompt',
  denoising: 'Painting',
  decoding: { image: 'Finishing', video: 'Drawing the frames' },
  uploading: 'Saving',
};

/** `Painting 42 %, 3 s left` */
export function progressWords({
  progress,
  job,
  reference,
}: Pick<Extract<FirepodGeneration, { status: 'processing' }>, 'progress' | 'job' | 'reference'>): string {
  const attempt = job !== null && job.attempt > 1 ? ` (attempt ${job.attempt})` : '';
  if (progress === null) return `${phases.starting}${attempt}`;
  const words = phases[progress.phase];
  const phase = `${typeof words === 'string' ? words : words[reference.media_type]}${attempt}`;
  if (progress.phase !== 'denoising') return phase;
  const painted = `${phase} ${Math.round(progress.percent)} %`;
  return progress.eta_seconds === null ? painted : `${painted}, ${durationWords(progress.eta_seconds)} left`;
}

/** Seconds up to a minute and a half, then minutes: more exact an estimate is not. */
function durationWords(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.ceil(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}
