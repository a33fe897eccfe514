/** Ids that make a repeated submit harmless: while the same request has no answer, it keeps its id. */
import { FirepodError } from '@firepod/client';

/**
 * Calls `submit` with an id of its own for each request. One whose answer was lost (`unavailable`) may have been queued:
 * sent again unchanged it has the id it had, and the function answers with the generation that there is.
 */
export async function submitOnce<Request, Result>(
  memory: RequestMemory,
  request: Request,
  submit: (request: Request, options: { requestId: string }) => Promise<Result>,
): Promise<Result> {
  const key = JSON.stringify(request);
  const requestId = memory.unanswered?.key === key ? memory.unanswered.requestId : randomId();
  memory.unanswered = undefined;
  try {
    return await submit(request, { requestId });
  } catch (error) {
    if (error instanceof FirepodError && error.code === 'unavailable') {
      memory.unanswered = { key, requestId };
    }
    throw error;
  }
}

/** What a form remembers between two submits. */
export interface RequestMemory {
  unanswered?: { readonly key: string; readonly requestId: string } | undefined;
}

/** 128 random bits; not `crypto.randomUUID`, which plain http on a network address does not have. */
function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
