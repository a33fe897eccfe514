/** Why RunPod may have withdrawn a job: it does not say, but it keeps a time limit. */
import { EXECUTION_TIMEOUT_MS, type MediaType } from '@firepod/contract';

/** RunPod's clock starts when it hands the job out, before the handler's does. */
const HEAD_START_MS = 5000;

/** `timeout` for a job that ran as long as `policy.executionTimeout` allows; else somebody cancelled it. */
export function withdrawalCode(mediaType: MediaType, ranMs: number): 'timeout' | 'cancelled' {
  return ranMs >= EXECUTION_TIMEOUT_MS[mediaType] - HEAD_START_MS ? 'timeout' : 'cancelled';
}
