/** Generations in each state, as the client gives them to the studio. */
import type { FirepodGeneration } from '@firepod/client';

const shared = (name: string) => ({
  user_id: 'ada',
  file_uid: name,
  request_data: { prompt: name },
  created_at: null,
  updated_at: null,
  task_type: 'text2img' as const,
  prompt_words: [],
  parent: null,
  job: { id: 'job-1', attempt: 1 },
  reference: {
    user_id: 'ada',
    file_uid: name,
    media_type: 'image' as const,
    path: `generations/ada/images/${name}`,
  },
});

type In<Status extends FirepodGeneration['status']> = Extract<FirepodGeneration, { status: Status }>;

/** The prompt is also the id. */
export function queued(prompt: string): In<'queued'> {
  return { ...shared(prompt), status: 'queued' };
}

export function processing(prompt: string, fields: Partial<In<'processing'>> = {}): In<'processing'> {
  return {
    ...shared(prompt),
    status: 'processing',
    started_at: null,
    progress: null,
    preview: null,
    ...fields,
  };
}

export function completed(
  prompt: string,
  generation_data: In<'completed'>['generation_data'],
): In<'completed'> {
  return {
    ...shared(prompt),
    status: 'completed',
    generated: true,
    modified: null,
    completed_at: null,
    generation_data,
  };
}

export function failed(prompt: string, error_code: In<'failed'>['error_code'], error: string): In<'failed'> {
  return { ...shared(prompt), status: 'failed', completed_at: null, error, error_code };
}
