/** diffusers, the peer, in a Python environment of its own: what models/ trains with, from PyPI, made once. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.cache/diffusers-python');
const requirements = join(root, 'models/requirements.txt');
const python = join(folder, 'bin/python');
const mark = join(folder, 'installed');

/** Variables that let diffusers and transformers load without progress bars and without asking the Internet. */
export const quietOffline = {
  TRANSFORMERS_VERBOSITY: 'error',
  HF_HUB_DISABLE_PROGRESS_BARS: '1',
  HF_HUB_OFFLINE: '1',
};

/**
 * The Python that has diffusers as pinned: the one that FIREPOD_BENCH_PYTHON names, else an environment made here, which
 * needs Python 3.11 with venv, PyPI and PyTorch's own index.
 *
 * @throws {Error} naming the step that failed
 */
export function installDiffusersPython(): string {
  const given = process.env['FIREPOD_BENCH_PYTHON'];
  if (given !== undefined) return given;
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === digest) return python;
  rmSync(folder, { recursive: true, force: true });
  run('python3', ['-m', 'venv', folder]);
  const torchIndex = ['--extra-index-url', 'https://download.pytorch.org/whl/cpu'];
  const quiet = ['--quiet', '--disable-pip-version-check'];
  run(python, ['-m', 'pip', 'install', ...quiet, ...torchIndex, '-r', requirements]);
  writeFileSync(mark, digest);
  return python;
}

/**
 * A model folder of ours as diffusers reads it, its weights taken out of the ONNX graphs; made once for each state of the folder.
 *
 * @throws {Error} when the folder cannot be turned, the reason on stderr
 */
export function makeTorchFolder(python: string, modelFolder: string): string {
  const digest = createHash('sha256').update(readFileSync(join(import.meta.dirname, 'torch_folder.py')));
  for (const file of filesOf(modelFolder)) digest.update(file).update(readFileSync(join(modelFolder, file)));
  const target = join(root, '.cache/bench-diffusion', digest.digest('hex').slice(0, 16));
  // The last file that diffusers writes, so that a folder with it is whole.
  if (!existsSync(join(target, 'model_index.json'))) {
    run(python, ['-m', 'bench.diffusion.torch_folder', modelFolder, target]);
  }
  return target;
}

/** The graphs, which make up nearly all of a folder, and what says how they are put together. */
function filesOf(modelFolder: string): string[] {
  const index = JSON.parse(readFileSync(join(modelFolder, 'model_index.json'), 'utf8')) as object;
  const parts = [...Object.keys(index), 'vae_decoder'].map((part) => `${part}/model.onnx`);
  const graphs = parts.filter((file) => existsSync(join(modelFolder, file)));
  return ['model_index.json', 'scheduler/scheduler_config.json', ...new Set(graphs)];
}

function run(program: string, args: string[]): void {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    env: { ...process.env, ...quietOffline },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === 0) return;
  throw new Error(`${program} ${args.slice(0, 3).join(' ')} failed.`, { cause: error });
}
