/** One Write stream: a handshake, then commits in order. Client SDKs send their queued writes this way. */
import { randomBytes } from 'node:crypto';
import type { Caller } from './identity.ts';
import type { Outlet, StreamSession } from './listen.ts';
import type { WriteRequest, WriteResponse } from './messages.ts';
import type { Service } from './service.ts';

/**
 * `handle` rejects with a StatusError for a write that is refused: the transport ends the stream with it, and the client drops
 * that write and opens another stream for the rest.
 */
export function createWriteSession(
  service: Service,
  caller: Caller,
  { send }: Outlet<WriteResponse>,
): StreamSession<WriteRequest> {
  const { engine, guard } = service;
  let commitCount = 0;
  let isOpen = false;
  let isClosed = false;
  // A write may have to wait for a lock, and those behind it wait with it.
  let last: Promise<void> = Promise.resolve();

  async function answer(request: WriteRequest): Promise<void> {
    if (isClosed) return;
    if (!isOpen) {
      guard.checkDatabase(request.database);
      isOpen = true;
      send({ streamId: randomBytes(8).toString('hex'), streamToken: Buffer.from(String(commitCount)) });
      return;
    }
    const check = guard.commitCheck(caller);
    const { writeResults, commitTime } = await engine.commit(request.writes ?? [], undefined, check);
    commitCount++;
    send({ streamToken: Buffer.from(String(commitCount)), writeResults, commitTime });
  }

  return {
    handle(request) {
      const answered = last.then(() => answer(request));
      // A refused write ends the stream: the transport closes it before the next one's turn.
      last = answered.catch(() => {
        isClosed = true;
      });
      return answered;
    },
    // Clients send few writes before they have the answers.
    onRelief() {},
    close() {
      isClosed = true;
    },
  };
}
