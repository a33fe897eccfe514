/** One Write stream: a handshake, then commits in order. Client SDKs send their queued writes this way. */
import { randomBytes } from 'node:crypto';
import type { Caller } from './identity.ts';
import type { StreamSession } from './listen.ts';
import type { WriteRequest, WriteResponse } from './messages.ts';
import type { Service } from './service.ts';

/**
 * `handle` throws a StatusError for a write that is refused: the transport ends the stream with it, and the client drops
 * that write and opens another stream for the rest.
 */
export function createWriteSession(
  service: Service,
  caller: Caller,
  send: (response: WriteResponse) => void,
): StreamSession<WriteRequest> {
  const { engine, guard } = service;
  let commitCount = 0;
  let isOpen = false;

  return {
    handle(request) {
      if (!isOpen) {
        guard.checkDatabase(request.database);
        isOpen = true;
        send({ streamId: randomBytes(8).toString('hex'), streamToken: Buffer.from(String(commitCount)) });
        return;
      }
      const { writeResults, commitTime } = engine.commit(
        request.writes ?? [],
        undefined,
        guard.commitCheck(caller),
      );
      commitCount++;
      send({ streamToken: Buffer.from(String(commitCount)), writeResults, commitTime });
    },
    close() {},
  };
}
