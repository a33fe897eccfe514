import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultPorts } from './ports.ts';
import type { StackAddresses } from './stack.ts';
import { announceStack, findRunningStack } from './stack-file.ts';

let folder: string;
const servers: ReturnType<typeof createServer>[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-note-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A web server that answers every path with `body`, and the addresses of a stack whose studio it would be. */
async function serve(body: string): Promise<StackAddresses> {
  const server = createServer((_request, response) => response.end(body));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    projectId: 'demo-firepod',
    appId: '1:0:web:ours',
    bucket: 'demo-firepod.firebasestorage.app',
    endpointId: 'local',
    host: '127.0.0.1',
    ports: { ...defaultPorts, web: (server.address() as AddressInfo).port },
  };
}

test('a stack that announced itself and whose studio answers is found, until it withdraws', async () => {
  const addresses = await serve('{"appId":"1:0:web:ours"}');
  const withdraw = announceStack(folder, addresses);
  expect(await findRunningStack(folder)).toEqual({ ...addresses, pid: process.pid });
  withdraw();
  expect(await findRunningStack(folder)).toBeUndefined();
});

test.each([
  ['another app', '{"appId":"1:0:web:theirs"}'],
  ['no app at all', '<html></html>'],
  ['nothing that has fields', 'null'],
])('a note whose port serves %s by now is not believed', async (_what, body) => {
  announceStack(folder, await serve(body));
  expect(await findRunningStack(folder)).toBeUndefined();
});

test('a note whose port is closed is not believed, though its process id is alive', async () => {
  announceStack(folder, await serve('{"appId":"1:0:web:ours"}'));
  await new Promise((resolve) => servers.pop()?.close(resolve));
  expect(await findRunningStack(folder)).toBeUndefined();
});

test.each(['', '{"pid":1,"ho', 'null', '{"pid":1}'])('a note that reads %j is none', async (text) => {
  writeFileSync(join(folder, 'stack.json'), text);
  expect(await findRunningStack(folder)).toBeUndefined();
});
