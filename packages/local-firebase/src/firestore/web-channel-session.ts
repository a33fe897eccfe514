/** One WebChannel: numbered messages both ways over HTTP requests that come, go and are repeated. */
import type { ServerResponse } from 'node:http';
import { type ChannelArray, type ChannelMap, encodeFrame } from './web-channel-wire.ts';

/**
 * Clients give up after 1.5 times what the handshake announces without a byte: a no-op goes out somewhat before each
 * interval is over.
 */
export const KEEP_ALIVE_MS = 30_000;
const NOOP_INTERVAL_MS = KEEP_ALIVE_MS * 0.9;

/** A channel that nobody listens to for so long is gone: tabs that close do not always say so. */
const ABANDONED_AFTER_MS = 60_000;

/**
 * What was sent is kept until the client acknowledges it, which it does when it opens its next back channel. After so
 * many bytes the present one ends, so that the client opens another and what is kept stays small.
 */
const ROTATE_AFTER_BYTES = 1024 * 1024;
/** With this much unacknowledged a client is behind: what can be put off is. */
const CONGESTED_BYTES = 4 * ROTATE_AFTER_BYTES;
/** A client that leaves this much unacknowledged loses its channel, and starts a new one from its resume tokens. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

export type WebChannelSession = {
  readonly id: string;
  /** Sends one protocol message. */
  send(message: unknown): void;
  /** Takes messages of a forward request: each once, in the order of their ids, whatever is repeated or overtaken. */
  receive(maps: readonly ChannelMap[]): void;
  /** Whether the client is so far behind that what can wait should. */
  isCongested(): boolean;
  /** The client has everything up to this id. */
  acknowledge(arrayId: number): void;
  /** Makes a pending GET the way to the client. */
  openBackChannel(
    response: ServerResponse,
    options: { isStreaming: boolean; timeoutMs: number | undefined },
  ): void;
  /** What a forward request is answered with. */
  status(): [hasBackChannel: 0 | 1, lastArrayId: number, pendingBytes: number];
  /** Closes once everything sent so far has reached the client. */
  finish(): void;
  close(): void;
};

export type SessionHandlers = {
  /** Must not reject. */
  onMessage(data: string): void | Promise<void>;
  /** The client has caught up. */
  onRelief(): void;
  /** Called once, however the session ends. */
  onClose(): void;
};

type BackChannel = {
  response: ServerResponse;
  isStreaming: boolean;
  sentBytes: number;
  noopTimer: NodeJS.Timeout;
};

type KeptArray = { array: ChannelArray; json: string };

export function createWebChannelSession(id: string, handlers: SessionHandlers): WebChannelSession {
  let kept: KeptArray[] = [];
  let keptBytes = 0;
  let nextArrayId = 1;
  let sentArrayId = 0;
  let nextMapId = 0;
  const earlyMaps = new Map<number, string>();
  let backChannel: BackChannel | undefined;
  let isFlushScheduled = false;
  let isFinishing = false;
  let isClosed = false;
  let abandonTimer = startAbandonTimer();

  function startAbandonTimer(): NodeJS.Timeout {
    return setTimeout(close, ABANDONED_AFTER_MS).unref();
  }

  function push(payload: unknown): void {
    if (isClosed) return;
    const array: ChannelArray = [nextArrayId++, payload];
    const json = encodeFrame([array]);
    kept.push({ array, json });
    keptBytes += json.length;
    if (keptBytes > MAX_KEPT_BYTES) {
      close();
      return;
    }
    // What one commit causes leaves in one frame.
    if (isFlushScheduled) return;
    isFlushScheduled = true;
    setImmediate(() => {
      isFlushScheduled = false;
      flush();
    });
  }

  function flush(): void {
    writePending();
    if (isFinishing && sentArrayId === nextArrayId - 1) close();
  }

  function writePending(): void {
    const channel = backChannel;
    const fresh = kept.filter(({ array }) => array[0] > sentArrayId);
    if (channel === undefined || fresh.length === 0) return;
    sentArrayId = fresh.at(-1)!.array[0];
    const frame = fresh.length === 1 ? fresh[0]!.json : encodeFrame(fresh.map(({ array }) => array));
    channel.sentBytes += frame.length;
    channel.response.write(frame);
    if (!channel.isStreaming || channel.sentBytes > ROTATE_AFTER_BYTES) endBackChannel();
  }

  function endBackChannel(): void {
    const channel = backChannel;
    if (channel === undefined) return;
    backChannel = undefined;
    clearInterval(channel.noopTimer);
    channel.response.end();
    clearTimeout(abandonTimer);
    if (!isClosed) abandonTimer = startAbandonTimer();
  }

  function close(): void {
    if (isClosed) return;
    writePending();
    isClosed = true;
    clearTimeout(abandonTimer);
    endBackChannel();
    kept = [];
    earlyMaps.clear();
    handlers.onClose();
  }

  return {
    id,
    send: (message) => push([message]),
    isCongested: () => keptBytes > CONGESTED_BYTES,
    receive(maps) {
      for (const { id: mapId, data } of maps) if (mapId >= nextMapId) earlyMaps.set(mapId, data);
      for (;;) {
        const data = earlyMaps.get(nextMapId);
        if (data === undefined || isClosed || isFinishing) return;
        earlyMaps.delete(nextMapId++);
        void handlers.onMessage(data);
      }
    },
    acknowledge(arrayId) {
      const acknowledged = kept.filter(({ array }) => array[0] <= arrayId);
      if (acknowledged.length === 0) return;
      const wasCongested = keptBytes > CONGESTED_BYTES;
      kept = kept.slice(acknowledged.length);
      keptBytes -= acknowledged.reduce((total, { json }) => total + json.length, 0);
      if (wasCongested && keptBytes <= CONGESTED_BYTES) handlers.onRelief();
    },
    openBackChannel(response, { isStreaming, timeoutMs }) {
      endBackChannel();
      clearTimeout(abandonTimer);
      const noopTimer = setInterval(
        () => push(['noop']),
        Math.min(NOOP_INTERVAL_MS, timeoutMs ?? NOOP_INTERVAL_MS),
      );
      const channel: BackChannel = { response, isStreaming, sentBytes: 0, noopTimer: noopTimer.unref() };
      backChannel = channel;
      response.on('close', () => {
        if (backChannel === channel) endBackChannel();
      });
      // What the last back channel was given and the client does not acknowledge was lost on the way.
      sentArrayId = kept.length > 0 ? kept[0]!.array[0] - 1 : nextArrayId - 1;
      // The client takes a stream that stays silent at first for one that a proxy holds back, and gives up streaming.
      if (isStreaming && kept.length === 0 && !isFinishing) push(['noop']);
      flush();
    },
    status: () => {
      const pendingBytes = kept
        .filter(({ array }) => array[0] > sentArrayId)
        .reduce((total, { json }) => total + json.length, 0);
      return [backChannel === undefined ? 0 : 1, nextArrayId - 1, pendingBytes];
    },
    finish() {
      isFinishing = true;
      flush();
    },
    close,
  };
}
