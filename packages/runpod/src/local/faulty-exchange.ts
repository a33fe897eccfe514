/** Lets a fault befall an exchange: the handler acts before, twice, late or not at all, and the reply may never arrive. */
import { type Clock, pause } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { answer, type Exchange } from './exchange.ts';
import { sideOf } from './exchange-record.ts';
import type { Fault, FaultCall, FaultInjector, FaultyCall } from './fault-script.ts';
import { parseObject } from './json-object.ts';
import { isProgress } from './worker-posts.ts';

/** What the faults need besides the exchange. */
export interface FaultContext {
  injector: FaultInjector;
  clock: Clock;
  /** Aborts when the local RunPod ends: nothing is held any longer. */
  closing: AbortSignal;
  logger: Logger;
}

type Handle = (exchange: Exchange) => Promise<void>;

const DEFAULT_OVERTAKEN_MS = 1_000;

/** `handle` with the script's faults around it. Neither rejects. */
export function createFaultyHandler(handle: Handle, context: FaultContext): Handle {
  const { injector, logger } = context;
  return (exchange) =>
    answer(
      exchange,
      async () => {
        const call = await callOf(exchange);
        const fault = injector.choose(call);
        if (fault === undefined) await handle(exchange);
        else {
          logger.info({ ...call, fault: fault.kind }, 'A fault befalls a call, as its script says.');
          await handleUnderFault(fault, exchange, handle, { ...context, call: call.call });
        }
        injector.passed(call.call);
      },
      logger,
    );
}

/** Names the call; for that, a post to job-done has to be read. */
async function callOf(exchange: Exchange): Promise<FaultyCall> {
  const [, , operation = '', first, second] = exchange.segments;
  if (sideOf(operation) === 'client') return { call: operation as FaultCall, jobId: first };
  const ids = { workerId: first, jobId: second };
  if (operation === 'job-take-batch') return { call: 'job-take', ...ids };
  if (operation !== 'job-done') return { call: operation as FaultCall, ...ids };
  const text = await exchange.readBody(Number.POSITIVE_INFINITY);
  return { call: isProgress(parseObject(text ?? '')) ? 'progress' : 'job-done', ...ids };
}

/** Resolves when the exchange, and a duplicate of it, have been dealt with. */
async function handleUnderFault(
  fault: Fault,
  exchange: Exchange,
  handle: Handle,
  { call, injector, clock, closing }: FaultContext & { call: FaultCall },
): Promise<void> {
  switch (fault.kind) {
    case 'drop':
      return aborted(AbortSignal.any([exchange.callerGone, closing]));
    case 'delay': {
      const wait = () => pause(clock, fault.delayMs, closing);
      if (fault.of === 'reply') {
        return handle({
          ...exchange,
          reply: async (...reply) => {
            await wait();
            return exchange.reply(...reply);
          },
        });
      }
      // Read first: what travels late has left its caller, and arrives though the caller may be gone by then.
      await exchange.readBody(0);
      await wait();
      return handle(exchange);
    }
    case 'duplicate':
      await exchange.readBody(0);
      await handle(exchange);
      if (fault.delayMs) await pause(clock, fault.delayMs, closing);
      // The second copy has no caller: its reply goes nowhere, and nobody hangs up.
      return handle({
        ...exchange,
        callerGone: closing,
        reply: async () => true,
        replyPartly: () => {},
        cut: () => {},
      });
    case 'reorder':
      await exchange.readBody(0);
      await injector.overtaken(call, fault.atMostMs ?? DEFAULT_OVERTAKEN_MS, closing);
      return handle(exchange);
    case 'cut':
      return cut(fault.when, exchange, handle);
    case 'answer': {
      const { status, retryAfterSeconds } = fault;
      await exchange.readBody(0);
      const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
      await exchange.reply(status, { error: `A fault script answers ${status}.` }, headers);
    }
  }
}

async function cut(when: 'before' | 'middle' | 'after', exchange: Exchange, handle: Handle): Promise<void> {
  if (when === 'before') {
    exchange.cut();
    return;
  }
  await handle({
    ...exchange,
    async reply(...reply) {
      if (when === 'middle') exchange.replyPartly(...reply);
      else exchange.cut();
      // The whole reply lay in the socket's buffer when the connection broke: who sends cannot tell.
      return when === 'after';
    },
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
