/** How a server is started: its options, and the little of our environment that it may see. */
import { existsSync } from 'node:fs';
import type { LocalModel } from './weights.ts';

/** A program with its arguments. */
export interface ServerCommand {
  program: string;
  arguments: string[];
}

/** What of the environment reaches the server: where libraries and devices are. Never our keys. */
const PASSED_VARIABLES =
  /^(PATH|HOME|TMPDIR|LANG|LD_LIBRARY_PATH|(CUDA|NVIDIA|GGML|VK|ROCR|HSA)_.*|ROCM_PATH)$/;

/** From util-linux, in every Debian and Ubuntu image: has the kernel end its program when the parent dies, also by SIGKILL. */
const SETPRIV = '/usr/bin/setpriv';

/**
 * `--rng cpu` makes noise that does not depend on the GPU. Both scanned folders are an empty one: the server walks through
 * them at every request, and the default is the working folder.
 * @param emptyFolder a folder with nothing in it
 */
export function serverCommand(
  program: string,
  { manifest, paths }: LocalModel,
  { port, emptyFolder, setpriv = SETPRIV }: { port: number; emptyFolder: string; setpriv?: string },
): ServerCommand {
  const options = [
    ...[...paths].flatMap(([role, path]) => [`--${role}`, path]),
    ...manifest.server.arguments,
    ...['--rng', 'cpu'],
    ...['--lora-model-dir', emptyFolder],
    ...['--hires-upscalers-dir', emptyFolder],
    ...['--listen-ip', '127.0.0.1'],
    ...['--listen-port', String(port)],
  ];
  if (process.platform !== 'linux' || !existsSync(setpriv)) return { program, arguments: options };
  return { program: setpriv, arguments: ['--pdeathsig', 'KILL', '--', program, ...options] };
}

/** The variables that the server gets. */
export function serverEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const passed = Object.entries(env).filter(
    ([name, value]) => value !== undefined && PASSED_VARIABLES.test(name),
  );
  return Object.fromEntries(passed) as Record<string, string>;
}
