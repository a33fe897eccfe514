/** runpod-python, the peer, in a Python environment of its own: pinned packages from PyPI, made once. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../.cache/runpod-python');
const requirements = join(import.meta.dirname, 'requirements.txt');
const python = join(folder, 'bin/python');
const mark = join(folder, 'installed');

/** Variables that let it start without a GPU and without the Internet, which its own start-up checks ask for. */
export const withoutSystemChecks = { RUNPOD_SKIP_GPU_CHECK: 'true', RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: 'true' };

/** The Python that has runpod-python as pinned; undefined until `installRunpodPython` has run. */
export function findRunpodPython(): string | undefined {
  return existsSync(mark) && readFileSync(mark, 'utf8') === requirementsDigest() ? python : undefined;
}

/**
 * Makes the environment unless it is there; needs Python 3.10 or later with venv, and PyPI.
 *
 * @throws {Error} naming the step that failed
 */
export function installRunpodPython(): string {
  const found = findRunpodPython();
  if (found !== undefined) return found;
  rmSync(folder, { recursive: true, force: true });
  run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  writeFileSync(mark, requirementsDigest());
  return python;
}

function requirementsDigest(): string {
  return createHash('sha256').update(readFileSync(requirements)).digest('hex');
}

function run(program: string, args: string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  throw new Error(`runpod-python could not be installed: ${program} ${args.slice(0, 3).join(' ')} failed.`, {
    cause: error,
  });
}
