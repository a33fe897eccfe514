/** A RunPod worker moved by hand: takes one job and posts one result when a test says so, over the worker API itself. */

/** A job as a worker gets it. */
interface TakenJob {
  readonly id: string;
  readonly input: Record<string, unknown>;
}

export interface HandWorker {
  /** Waits until RunPod has a job of this generation; others are kept for their own calls. */
  take(fileUid: string): Promise<TakenJob>;
  /** `{output}` completes the job, `{error}` fails it. */
  post(jobId: string, result: { output: unknown } | { error: string }): Promise<void>;
}

/** `environment` is what RunPod gives to a worker's process. */
export function startHandWorker(environment: Readonly<Record<string, string>>): HandWorker {
  const headers = { authorization: environment['RUNPOD_AI_API_KEY'] ?? '' };
  const workerId = environment['RUNPOD_POD_ID'] ?? '';
  const address = (variable: string, jobId = '') => {
    const template = environment[variable];
    if (template === undefined) throw new Error(`RunPod did not tell its worker ${variable}.`);
    return template.replace('$RUNPOD_POD_ID', workerId).replace('$ID', jobId === '' ? workerId : jobId);
  };
  const taken: TakenJob[] = [];
  return {
    async take(fileUid) {
      for (;;) {
        const index = taken.findIndex(({ input }) => input['file_uid'] === fileUid);
        const found = index === -1 ? undefined : taken.splice(index, 1)[0];
        if (found !== undefined) return found;
        const url = `${address('RUNPOD_WEBHOOK_GET_JOB')}&job_in_progress=0`;
        const response = await fetch(url, { headers, signal: AbortSignal.timeout(15_000) });
        if (response.status === 200) taken.push((await response.json()) as TakenJob);
        else if (response.status !== 204) throw new Error(`job-take answered ${response.status}.`);
      }
    },
    async post(jobId, result) {
      const url = `${address('RUNPOD_WEBHOOK_POST_OUTPUT', jobId)}&isStream=false`;
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(result) });
      if (!response.ok) throw new Error(`job-done answered ${response.status}.`);
    },
  };
}
