/** What several Storage routes need to know of a request: its bytes as a stream, and under which origin it came. */
import type { Context } from 'hono';

/** The bytes of the request, or none. */
export function bodyOf(context: Context): AsyncIterable<Uint8Array> {
  const body = context.req.raw.body;
  return body === null ? nothing() : (body as unknown as AsyncIterable<Uint8Array>);
}

/** `http://host:port` as the client wrote it, so that links lead back the way it came. */
export function originOf(context: Context): string {
  return new URL(context.req.url).origin;
}

/**
 * Runs a check before the bytes are taken. When it throws, the bytes are read and dropped first: a client that is
 * refused while it still sends sees a broken connection, not the refusal.
 */
export async function drained<T>(bytes: AsyncIterable<Uint8Array>, check: () => T): Promise<T> {
  try {
    return check();
  } catch (error) {
    for await (const _ of bytes);
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
