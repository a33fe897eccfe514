/** A loopback port for a server, and whether it has it to itself. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** Where Linux lists its TCP sockets (proc(5)). */
const SOCKETS_FILE = '/proc/net/tcp';
const LISTENING = '0A';

/** A port that nobody listens on now: the server does not print the one that it chose for 0. */
export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/**
 * Whether several sockets listen on the port. The server sets SO_REUSEPORT, so that two of them, of two workers on one
 * machine, can get one port without a word: each then gets some of the other's requests, and their job ids can be the same.
 * False where the system does not tell.
 */
export function isPortShared(port: number, socketsFile = SOCKETS_FILE): boolean {
  let table: string;
  try {
    table = readFileSync(socketsFile, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const listeners = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === LISTENING);
  return listeners.length > 1;
}

/** Another program has the server's port too. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}
