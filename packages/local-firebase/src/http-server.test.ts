import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './http-server.ts';

test('names the address that is taken', async () => {
  const first = await listen(() => {}, { port: 0 });
  await expect(listen(() => {}, { port: first.port })).rejects.toMatchObject({
    code: 'address_unavailable',
    message: expect.stringContaining(`127.0.0.1:${first.port}`) as string,
    cause: expect.objectContaining({ code: 'EADDRINUSE' }) as unknown,
  });
  await first.close();
});

test('closing ends open connections, runs the last step once, and frees the port', async () => {
  let closed = 0;
  const server = await listen(
    () => {},
    { port: 0, host: '127.0.0.1' },
    () => {
      closed++;
    },
  );
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  const idle = connect(server.port, server.host);
  await once(idle, 'connect');
  idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  // Whether the client sees an end or a reset is the system's choice.
  idle.on('error', () => {});
  const ended = new Promise((resolve) => idle.once('close', resolve));
  await Promise.all([server.close(), server.close(), ended]);
  expect(closed).toBe(1);
  await (await listen(() => {}, { port: server.port })).close();
});
