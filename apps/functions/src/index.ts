/** What Firebase deploys: each export is one function, by the names and the region of the contract. */
import { FUNCTIONS_REGION } from '@firepod/contract';
import { onInit } from 'firebase-functions';
import { type CallableRequest, onCall, onRequest } from 'firebase-functions/https';
import { onSchedule } from 'firebase-functions/scheduler';
import { adminApp } from './admin-app.ts';
import { cancelGeneration as cancel } from './cancel-generation.ts';
import { SECRETS } from './env.ts';
import { FirepodFunctionsError, toHttpsError } from './errors.ts';
import { createFunctionContext, type FunctionContext } from './function-context.ts';
import { receiveRunpodWebhook } from './runpod-webhook.ts';
import { submitGeneration as submit } from './submit-generation.ts';
import { sweepGenerations as sweep } from './sweep-generations.ts';

// Before the first request: firebase-functions checks ID tokens with the default app and would else make one of its own.
onInit(() => {
  adminApp();
});

const options = { region: FUNCTIONS_REGION, secrets: SECRETS };

/** Callable: a request of the contract's table, plus `request_id`; answers `{file_uid, user_id, media_type, path}`. */
export const submitGeneration = onCall(options, (request) => answer(request, submit));

/** Callable: `{file_uid, media_type}`; answers `{cancelled, status}`. */
export const cancelGeneration = onCall(options, (request) => answer(request, cancel));

/** Called by RunPod when a job has ended, at the signed address that was sent with the job. */
export const runpodWebhook = onRequest({ ...options, cors: false }, async (request, response) => {
  const { httpStatus, message } = await receiveRunpodWebhook(createFunctionContext(), request);
  response.status(httpStatus).json({ message });
});

/** Called by Cloud Scheduler. */
export const sweepGenerations = onSchedule(
  { ...options, schedule: 'every 1 minutes', timeoutSeconds: 300, retryCount: 0 },
  async () => {
    await sweep(createFunctionContext(), Date.now());
  },
);

/** Runs a callable's work for the signed-in user; all that it throws becomes an HttpsError. */
async function answer<Result>(
  { auth, data }: CallableRequest,
  work: (context: FunctionContext, userId: string, data: unknown) => Promise<Result>,
): Promise<Result> {
  try {
    if (auth === undefined) throw new FirepodFunctionsError('unauthenticated', 'Sign in first.');
    return await work(createFunctionContext(), auth.uid, data);
  } catch (thrown) {
    throw toHttpsError(thrown);
  }
}
