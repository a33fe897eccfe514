/** Tells which pipeline a model folder is for, so that a program can take any folder and load it by the right function. */

import { DiffusionError } from './errors.ts';
import { readModelIndex } from './folder-files.ts';

/** `stable-diffusion-xl` is for loadStableDiffusionXl, `wan` for loadWan. */
export type PipelineKind = 'stable-diffusion-xl' | 'wan';

/** Reads model_index.json. Throws `model_folder_invalid` when there is none, `unsupported` for a pipeline of neither kind. */
export async function readPipelineKind(folder: string): Promise<PipelineKind> {
  const name = String((await readModelIndex(folder))['_class_name'] ?? '');
  if (name === 'WanPipeline') return 'wan';
  if (name.includes('StableDiffusionXL')) return 'stable-diffusion-xl';
  throw new DiffusionError(
    'unsupported',
    `${folder} holds a ${name || 'model of unnamed class'}; expected a StableDiffusionXL pipeline or a WanPipeline.`,
  );
}
