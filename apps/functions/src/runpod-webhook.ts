/** RunPod says that a job has ended: whether it is true, and how it ended, is asked of `/status`. */
import { jobRecordPath } from '@firepod/contract';
import { RunpodError } from '@firepod/runpod/client';
import type { Request } from 'firebase-functions/https';
import type { FunctionContext } from './function-context.ts';
import { settleJob } from './job-settlement.ts';
import { log } from './log.ts';
import { readWebhookSubject } from './webhook-token.ts';

/** What RunPod is answered: it calls again, at most twice, unless the answer is 200. */
export interface WebhookAnswer {
  readonly httpStatus: 200 | 403 | 405 | 503;
  readonly message: string;
}

/** Settles the job that the signed address names. Never throws for what RunPod or a stranger sends. */
export async function receiveRunpodWebhook(
  context: FunctionContext,
  request: Pick<Request, 'method' | 'query' | 'body'>,
): Promise<WebhookAnswer> {
  if (request.method !== 'POST') return { httpStatus: 405, message: 'Only POST is answered here.' };
  const subject = readWebhookSubject(request.query, context.settings.webhook.secret);
  if (subject === null) {
    log.warn({}, 'A webhook without a valid signature was refused.');
    return { httpStatus: 403, message: 'The address is not signed.' };
  }
  const { fileUid, attempt } = subject;
  const record = await context.store.firestore.doc(jobRecordPath(fileUid)).get();
  if (!record.exists) return { httpStatus: 200, message: 'The generation has ended.' };
  // The id only says what to ask about; a job that is not the generation's current one changes nothing.
  const runpodId = idOf(request.body) ?? (record.get('runpod_id') as string | null);
  if (runpodId === null) return { httpStatus: 200, message: 'The job is not known.' };
  try {
    const location = { path: record.get('path') as string, fileUid };
    const outcome = await settleJob(context, location, { runpodId, attempt });
    log.info({ fileUid, attempt, runpodId, outcome }, 'A webhook was received.');
    return { httpStatus: 200, message: outcome };
  } catch (thrown) {
    if (!(thrown instanceof RunpodError)) throw thrown;
    log.warn({ fileUid, attempt, runpodId, code: thrown.code }, 'RunPod could not be asked about a job.');
    return { httpStatus: 503, message: 'RunPod could not be asked; please call again.' };
  }
}

function idOf(body: unknown): string | null {
  const id = (body as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'string' && /^[A-Za-z0-9_-]{1,200}$/.test(id) ? id : null;
}
