/** Tells a job's webhook that the job has ended: once, and twice more when the answer is not 200. */
import { type Clock, pause } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { JobEnvelope } from '../job-status.ts';
import type { Logger } from '../logger.ts';

/** First call and RunPod's "up to 2 retries". */
const MAX_CALLS = 3;

/** Sends webhooks in the background. */
export interface WebhookSender {
  send(url: string, envelope: JobEnvelope): void;
  /** Ends what is under way; nothing is sent afterwards. */
  close(): Promise<void>;
}

/** @param options.retryDelayMs between calls; RunPod: 10 s. `timeoutMs` is for one call. */
export function createWebhookSender(options: {
  clock: Clock;
  logger: Logger;
  retryDelayMs: number;
  timeoutMs: number;
}): WebhookSender {
  const { clock, logger, retryDelayMs, timeoutMs } = options;
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();

  async function deliver(url: string, envelope: JobEnvelope): Promise<void> {
    for (let call = 1; call <= MAX_CALLS && !closing.signal.aborted; call += 1) {
      const failure = await callOnce(url, envelope);
      if (failure === undefined) return;
      const isLast = call === MAX_CALLS;
      logger.warn(
        { requestId: envelope.id, call },
        `The job's webhook failed: ${failure}. ${isLast ? 'Given up.' : `Trying again in ${retryDelayMs} ms.`}`,
      );
      if (!isLast) await pause(clock, retryDelayMs, closing.signal);
    }
  }

  async function callOnce(url: string, envelope: JobEnvelope): Promise<string | undefined> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(envelope),
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]),
      });
      await response.arrayBuffer();
      return response.status === 200 ? undefined : `it answered ${response.status} instead of 200`;
    } catch (thrown) {
      return describeError(thrown);
    }
  }

  return {
    send(url, envelope) {
      const delivery = deliver(url, envelope).finally(() => underWay.delete(delivery));
      underWay.add(delivery);
    },
    async close() {
      closing.abort();
      await Promise.all(underWay);
    },
  };
}
