/**
 * The function of the integration guide, as an app in the field has it: v1 callables, an admin `set` of the first
 * document, a fetch to RunPod. The one substitution is RunPod's base URL, endpoint id and key.
 */
import admin from 'firebase-admin';
import * as functions from 'firebase-functions/v1';

/** What the guide writes as https://api.runpod.ai/v2, YOUR_ENDPOINT_ID and RUNPOD_API_KEY. */
export interface RunpodSubstitution {
  baseUrl: string;
  endpointId: string;
  apiKey: string;
}

/** @param runpod where RunPod is; @param operation the guide shows `/runsync`; other apps use `/run`. */
export function guideFunctions(runpod: RunpodSubstitution, operation: 'runsync' | 'run') {
  const generate = (collection: 'images' | 'videos') =>
    functions.https.onCall(async (data, context) => {
      const { prompt, ...parameters } = data;
      const file_uid = crypto.randomUUID();
      const user_id = context.auth?.uid as string;

      await admin
        .firestore()
        .collection('generations')
        .doc(user_id)
        .collection(collection)
        .doc(file_uid)
        .set({
          status: 'queued',
          created_at: admin.firestore.FieldValue.serverTimestamp(),
          request_data: {
            prompt: prompt,
            ...parameters,
          },
          file_uid: file_uid,
          user_id: user_id,
        });

      const runpodResponse = await fetch(`${runpod.baseUrl}/${runpod.endpointId}/${operation}`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${runpod.apiKey}`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({
          input: {
            prompt: prompt,
            user_id: user_id,
            file_uid: file_uid,
            use_cloud_storage: true,
            ...parameters,
          },
        }),
      });
      return { file_uid, runpod: await runpodResponse.json() };
    });
  return { generateImage: generate('images'), generateVideo: generate('videos') };
}
