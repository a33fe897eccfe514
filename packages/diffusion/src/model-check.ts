/** Checks that a model folder is whole, for programs that load it later. */

import { join } from 'node:path';
import { readModelFolder } from './model-folder.ts';
import { type PipelineKind, readPipelineKind } from './pipeline-kind.ts';
import { readTokenizerFolder } from './tokenizer-files.ts';
import { readT5TokenizerFolder, WAN_PROMPT_TOKENS } from './unigram/t5-tokenizer-files.ts';
import { readWanFolder } from './wan-folder.ts';

/**
 * Reads what loadStableDiffusionXl or loadWan would read before the graphs themselves. Throws `model_folder_invalid` listing every
 * missing file, or `unsupported`.
 */
export async function checkModelFolder(folder: string): Promise<PipelineKind> {
  const kind = await readPipelineKind(folder);
  if (kind === 'wan') {
    await readWanFolder(folder);
    await readT5TokenizerFolder(join(folder, 'tokenizer'), WAN_PROMPT_TOKENS);
    return kind;
  }
  const { textEncoders, maxPositions } = await readModelFolder(folder);
  for (const part of textEncoders) {
    await readTokenizerFolder(
      join(folder, part.replace('text_encoder', 'tokenizer')),
      maxPositions.get(part)!,
    );
  }
  return kind;
}
