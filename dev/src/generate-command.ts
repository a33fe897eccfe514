/** The words of `npm run generate`: a prompt, where to write, and any field of the request. */
import { extname, join } from 'node:path';
import type { NamedSources } from './generate-sources.ts';
import { cloneFolder } from './stack.ts';

export interface GenerateCommand {
  /** Path of the file to write. */
  out: string;
  /** Whose stack to join, when one runs from there. */
  dataFolder: string;
  /** Pictures to start from. */
  sources: NamedSources;
  /** Fields as the person gave them; the function checks them as it checks any client's. */
  request: Record<string, unknown> & { prompt: string };
}

export const generateUsage = `npm run generate -- PROMPT [--out FILE] [--data FOLDER] [--FIELD VALUE …]

  npm run generate -- "a red apple on a blue background" --seed 7 --out apple.png
  npm run generate -- "a cat" --num-images 2 --num-inference-steps 40 --scheduler K_EULER
  npm run generate -- "a red apple" --task img2img --image in.png --strength 0.6
  npm run generate -- "a red apple" --task inpaint --image in.png --mask mask.png
  npm run generate -- "a red apple moving right" --task text2video

  --out FILE     where the result goes (default generation.png, of a video generation.mp4); further images get _1, _2 …
  --task TASK    text2img, img2img, inpaint or text2video; without it the other fields say which
  --image FILE   what img2img and inpaint start from: a PNG, JPEG or WebP, or an https address
  --mask FILE    of the image's size, white where to paint anew
  --data FOLDER  joins the Firepod that runs from there (default .firepod); where none runs, one is started for this picture
  --FIELD        any field of a request, with - or _ between its words; numbers, true, false and null are taken as such`;

/** What a file's ending says about the format, so that `--out apple.jpg` holds a JPEG. */
const videoExtension = '.mp4';
const formatByExtension: Record<string, string> = { '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp' };

/** Fields whose values are text, even when they look like a number. */
const textFields = new Set([
  'prompt',
  'negative_prompt',
  'scheduler',
  'output_format',
  'task_type',
  'image_url',
  'mask_url',
]);

/** @throws {Error} when there is no prompt, or an option has no value. */
export function parseGenerateCommand(words: readonly string[]): GenerateCommand | 'help' {
  const request: Record<string, unknown> = {};
  const sources: NamedSources = {};
  let out: string | undefined;
  let dataFolder = join(cloneFolder, '.firepod');
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--help' || word === '-h') return 'help';
    if (!word.startsWith('--')) {
      if (request['prompt'] !== undefined) {
        throw new Error(
          `There are two prompts, "${request['prompt']}" and "${word}"; put quotes around one prompt.`,
        );
      }
      request['prompt'] = word;
      continue;
    }
    const [name = '', inline] = splitOnce(word.slice(2), '=');
    const value = inline ?? words[++index];
    if (value === undefined) throw new Error(`--${name} has no value.`);
    if (name === 'out') out = value;
    else if (name === 'data') dataFolder = value;
    else if (name === 'image' || name === 'mask') sources[name] = value;
    else if (name === 'task') request['task_type'] = value;
    else {
      const field = name.replaceAll('-', '_');
      request[field] = textFields.has(field) ? value : parseValue(value);
    }
  }
  if (typeof request['prompt'] !== 'string') throw new Error(`There is no prompt.\n\n${generateUsage}`);
  const isVideo = request['task_type'] === 'text2video' || request['num_frames'] !== undefined;
  out ??= isVideo ? 'generation.mp4' : 'generation.png';
  const extension = extname(out).toLowerCase();
  if (extension === videoExtension) request['task_type'] ??= 'text2video';
  const format = isVideo ? undefined : formatByExtension[extension];
  if (format !== undefined) request['output_format'] ??= format;
  return { out, dataFolder, sources, request: { ...request, prompt: request['prompt'] } };
}

function parseValue(text: string): unknown {
  if (text === 'null') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? number : text;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
