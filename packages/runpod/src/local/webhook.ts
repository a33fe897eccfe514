/** Tells a job's webhook that the job has ended: once, and twice more when the answer is not 200. */
import { type Clock, pause } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { JobEnvelope } from '../job-status.ts';
import type { Logger } from '../logger.ts';
import type { Fault, FaultInjector } from './fault-script.ts';

/** First call and RunPod's "up to 2 retries". */
const MAX_CALLS = 3;
const FAULT_MESSAGE = 'A fault befalls a call of a webhook, as its script says.';

/** Sends webhooks in the background. */
export interface WebhookSender {
  send(url: string, envelope: JobEnvelope): void;
  /** Ends what is under way; nothing is sent afterwards. */
  close(): Promise<void>;
}

/** How webhooks are called. */
export interface WebhookSenderOptions {
  clock: Clock;
  logger: Logger;
  faults: FaultInjector;
  /** Between calls; RunPod: 10 s. */
  retryDelayMs: number;
  /** For one call. */
  timeoutMs: number;
}

/** Sends nothing before the first `send`. */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { clock, logger, faults, retryDelayMs, timeoutMs } = options;
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();

  async function deliver(url: string, envelope: JobEnvelope): Promise<void> {
    for (let call = 1; call <= MAX_CALLS && !closing.signal.aborted; call += 1) {
      const fault = faults.choose({ call: 'webhook', jobId: envelope.id });
      if (fault) logger.info({ requestId: envelope.id, fault: fault.kind }, FAULT_MESSAGE);
      const failure = await underFault(fault, () => callOnce(url, envelope));
      faults.passed('webhook');
      if (failure === undefined) return;
      const isLast = call === MAX_CALLS;
      logger.warn(
        { requestId: envelope.id, call },
        `The job's webhook failed: ${failure}. ${isLast ? 'Given up.' : `Trying again in ${retryDelayMs} ms.`}`,
      );
      if (!isLast) await pause(clock, retryDelayMs, closing.signal);
    }
  }

  /** What `call` says, or what the fault makes of it: undefined for success, else what went wrong. */
  async function underFault(
    fault: Fault | undefined,
    call: () => Promise<string | undefined>,
  ): Promise<string | undefined> {
    switch (fault?.kind) {
      case undefined:
        return call();
      case 'drop':
        await pause(clock, timeoutMs, closing.signal);
        return 'it did not answer in time';
      case 'delay': {
        if (fault.of !== 'reply') await pause(clock, fault.delayMs, closing.signal);
        const failure = await call();
        if (fault.of === 'reply') await pause(clock, fault.delayMs, closing.signal);
        return failure;
      }
      case 'duplicate': {
        const failure = await call();
        if (fault.delayMs) await pause(clock, fault.delayMs, closing.signal);
        await call();
        return failure;
      }
      case 'reorder':
        await faults.overtaken('webhook', fault.atMostMs ?? retryDelayMs, closing.signal);
        return call();
      case 'cut':
        if (fault.when !== 'before') await call();
        return 'the connection broke';
      case 'answer':
        return `it answered ${fault.status} instead of 200`;
    }
  }

  async function callOnce(url: string, envelope: JobEnvelope): Promise<string | undefined> {
    if (closing.signal.aborted) return 'the local RunPod is ending';
    const timedOut = new AbortController();
    const cancelTimeout = clock.after(timeoutMs, () => timedOut.abort());
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(envelope),
        signal: AbortSignal.any([closing.signal, timedOut.signal]),
      });
      await response.arrayBuffer();
      return response.status === 200 ? undefined : `it answered ${response.status} instead of 200`;
    } catch (thrown) {
      return timedOut.signal.aborted ? 'it did not answer in time' : describeError(thrown);
    } finally {
      cancelTimeout();
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
