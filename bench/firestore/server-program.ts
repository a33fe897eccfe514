/** A Firestore server's program as a child process, and the peer's packages, which only this bench installs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One side of the comparison. */
export interface ServerProgram {
  readonly name: string;
  /** Takes a folder for its data and a port. */
  readonly file: string;
}

export const ours: ServerProgram = {
  name: 'firepod',
  file: join(import.meta.dirname, 'local-firestore.mjs'),
};

/** @throws {Error} when npm cannot install it */
export function installPeer(): ServerProgram {
  const folder = join(import.meta.dirname, 'peer');
  if (!existsSync(join(folder, 'node_modules'))) {
    const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
    if (status !== 0) throw new Error('npm could not install @firestore-emulator/server.');
  }
  return { name: '@firestore-emulator/server 0.3.15', file: join(folder, 'server.mjs') };
}

/** A server that can be asked. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** From spawning the process to its own word that it is ready. */
  readonly readyMs: number;
  close(): Promise<void>;
}

export async function startServer({ name, file }: ServerProgram): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-bench-'));
  const port = await freePort();
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, [file, folder, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const said = /^ready (\d+)$/.exec(line)?.[1];
    if (said === undefined) continue;
    const readyMs = performance.now() - startedAtMs;
    return { pid: child.pid!, port: Number(said), readyMs, close: () => end(child, folder) };
  }
  throw new Error(`${name} ended before it was ready.`);
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await rm(folder, { recursive: true, force: true });
}

/** One that nobody listens on now: the peer does not tell which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('A listening server has no port.');
  return address.port;
}
