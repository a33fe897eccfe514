/** Long polls on sockets that are cut, stale, held and left. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { gate } from '../../testing/scripted-platform.ts';
import { systemClock } from '../clock.ts';
import { createHttpConnections } from './http-connections.ts';
import { createLongPoller } from './long-poll.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server of bare sockets: `answer` gets each request with its number on its connection, both from 1. */
async function serve(answer: (socket: Socket, request: number, connection: number) => void) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    const connection = connections;
    let requests = 0;
    sockets.add(socket);
    socket.on('error', () => {}).on('data', () => answer(socket, ++requests, connection));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kept = createHttpConnections();
  const poller = createLongPoller(kept, systemClock);
  closers.push(() => {
    kept.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const leaving = new AbortController();
  const options = { headers: {}, signal: leaving.signal, holdMs: 10_000, lingerMs: 100 };
  return { poll: () => poller.poll(url, options), leave: () => leaving.abort() };
}

const say = (socket: Socket, body: string) =>
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);

test('a connection that the server closed while it was idle is replaced without a word', async () => {
  const requests: string[] = [];
  const { poll } = await serve((socket, request, connection) => {
    requests.push(`${connection}:${request}`);
    if (request === 1) say(socket, `connection ${connection}`);
    else socket.resetAndDestroy();
  });
  expect(await poll()).toMatchObject({ text: 'connection 1' });
  // The agent takes the connection back in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  expect(await poll()).toMatchObject({ text: 'connection 2' });
  expect(requests).toEqual(['1:1', '1:2', '2:1']);
});

test('a connection that breaks before or in a reply is an error', async () => {
  const { poll } = await serve((socket, _, connection) => {
    if (connection === 2) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"id":');
    setImmediate(() => socket.resetAndDestroy());
  });
  await expect(poll()).rejects.toThrow('ECONNRESET');
  await expect(poll()).rejects.toThrow('aborted');
});

test('a poll that is left brings what was sent just before, and else ends after its linger', async () => {
  const asked = gate<Socket>();
  const { poll, leave } = await serve((socket) => asked.open(socket));
  const polled = poll();
  const socket = await asked.passed;
  socket.once('end', () => say(socket, 'a job'));
  leave();
  expect(await polled).toMatchObject({ text: 'a job' });

  const askedAgain = gate();
  const silent = await serve(() => askedAgain.open());
  const held = silent.poll();
  await askedAgain.passed;
  silent.leave();
  expect(await held).toBeUndefined();
  expect(await silent.poll()).toBeUndefined();
});
