/** The environment variables by which RunPod tells a worker where the platform is. */

/** What the variables say. */
export interface PlatformEnvironmentOptions {
  /** Where the local RunPod listens, e.g. `http://127.0.0.1:8800`. */
  url: string;
  endpointId: string;
  apiKey: string;
  workerId: string;
  pingIntervalMs: number;
}

/** Variables with the platform's own names and placeholders; URLs end in a query because SDKs append to it blindly. */
export function platformEnvironment(options: PlatformEnvironmentOptions): Record<string, string> {
  const endpointUrl = `${options.url}/v2/${encodeURIComponent(options.endpointId)}`;
  return {
    RUNPOD_WEBHOOK_GET_JOB: `${endpointUrl}/job-take/$ID?gpu=local`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${endpointUrl}/job-done/$RUNPOD_POD_ID/$ID?gpu=local`,
    RUNPOD_WEBHOOK_POST_STREAM: `${endpointUrl}/job-stream/$RUNPOD_POD_ID/$ID?gpu=local`,
    RUNPOD_WEBHOOK_PING: `${endpointUrl}/ping/$RUNPOD_POD_ID?gpu=local`,
    RUNPOD_PING_INTERVAL: String(options.pingIntervalMs),
    RUNPOD_AI_API_KEY: options.apiKey,
    RUNPOD_POD_ID: options.workerId,
    RUNPOD_ENDPOINT_ID: options.endpointId,
  };
}
