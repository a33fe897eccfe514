/** A Firestore in a process of its own, which a test may kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { FirestoreOptions } from '../src/firestore/server.ts';

/** @param options must survive JSON */
export async function startFirestoreProcess(
  options: FirestoreOptions,
): Promise<{ child: ChildProcess; port: number }> {
  const server = new URL('../src/firestore/server.ts', import.meta.url).href;
  const program = `
    const { startFirestore } = await import(${JSON.stringify(server)});
    const { port } = await startFirestore(${JSON.stringify(options)});
    process.send(port);
  `;
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}
