/** Starts a program of this app as a child process, compiled or straight from its source. */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Forks the program at `url` with a channel that carries typed arrays. Beside compiled code lies `x.js`, beside
 * source `x.ts`, so callers write `programBeside(import.meta.url, './x')`.
 */
export function forkProgram(url: URL): ChildProcess {
  return fork(fileURLToPath(url), [], {
    serialization: 'advanced',
    execArgv: url.pathname.endsWith('.ts') ? ['--import', typescriptLoader(), '--conditions=source'] : [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}

/** The program `name` (a relative path without extension) beside the module at `moduleUrl`. */
export function programBeside(moduleUrl: string, name: string): URL {
  return new URL(`${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl);
}

/** Only a checkout runs from source, and there tsx is installed; it is no dependency of the built worker. */
function typescriptLoader(): string {
  return createRequire(import.meta.url).resolve('tsx');
}
