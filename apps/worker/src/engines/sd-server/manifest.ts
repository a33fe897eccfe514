/** The manifests of models: which files to fetch, how to start the server with them, and the model's card. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { modelCardSchema } from '@firepod/contract';
import { z } from 'zod';
import { describeThrown, WorkerError } from '../../errors.ts';

/** sd-server's options that take a file; a file's role is one of them. */
const FILE_ROLES = ['model', 'diffusion-model', 'vae', 't5xxl', 'clip_l', 'clip_g', 'tae'] as const;

/** Of the server's own options those that only the engine sets: where it listens, whose noise it makes, what it scans. */
const OWN_OPTIONS =
  /^(-m|-l|--listen|--rng|--sampler-rng|--seed|-s$|--lora-model-dir|--hires-upscalers-dir|--prompt|-p$|--serve)/;

const fileSchema = z.strictObject({
  role: z.enum(FILE_ROLES, `should be an option of sd-server that takes a file: ${FILE_ROLES.join(', ')}`),
  /** Where it lies in the weights folder. Models may share files by the same path. */
  path: z
    .string()
    .regex(/^[\w.-]+(\/[\w.-]+)*$/, 'should be a relative path')
    .refine(
      (path) => !path.split('/').some((part) => /^\.+$/.test(part)),
      'should not leave the weights folder',
    ),
  /** With the commit in it, so that the bytes behind it never change. */
  url: z.url({ protocol: /^https?$/ }),
  /** Null until `models/manifests/pin-manifest.mjs` has asked the hub. */
  size_bytes: z.int().positive().nullable(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'should be 64 lowercase hexadecimal digits')
    .nullable(),
  licence: z.string().min(1),
});

const manifestSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
  engine: z.literal('sd-server'),
  server: z.strictObject({
    /** What the loaded model makes; the server has no option for it. */
    mode: z.enum(['img_gen', 'vid_gen']),
    arguments: z.array(
      z.string().refine((option) => !OWN_OPTIONS.test(option), 'is set by the engine itself'),
    ),
    /** What it needs at its card's limits, in GiB of GPU memory. */
    vram_gib: z.number().positive(),
    /** How it samples where requests do not choose: videos have no scheduler field. */
    sampler: z
      .strictObject({
        sample_method: z.string().min(1),
        scheduler: z.string().min(1),
        flow_shift: z.number().positive().optional(),
      })
      .optional(),
  }),
  files: z.array(fileSchema).min(1),
  card: modelCardSchema,
});

/** One model of the engine. */
export type Manifest = z.output<typeof manifestSchema>;

/** A file whose content is known before it is fetched. */
export type PinnedFile = Manifest['files'][number] & { size_bytes: number; sha256: string };

/**
 * @param model the path of a manifest, or an id: the name of a file in `manifestsFolder` without .json
 * @throws WorkerError `model_not_available` with what is wrong, and where, as its cause
 */
export async function readManifest(model: string, manifestsFolder: string): Promise<Manifest> {
  const path = model.endsWith('.json') ? resolve(model) : join(manifestsFolder, `${model}.json`);
  const fail = (problem: string, cause?: unknown) =>
    new WorkerError('model_not_available', 'The model on the worker has no usable manifest.', {
      cause: new Error(`${path}: ${problem}`, cause === undefined ? {} : { cause }),
    });
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw fail(describeThrown(error));
  }
  const parsed = manifestSchema.safeParse(content);
  if (!parsed.success) throw fail(z.prettifyError(parsed.error));
  const makes = parsed.data.card.tasks.every(
    (task) => (task === 'text2video') === (parsed.data.server.mode === 'vid_gen'),
  );
  if (!makes)
    throw fail(`the tasks ${parsed.data.card.tasks.join(', ')} are not those of ${parsed.data.server.mode}`);
  return parsed.data;
}

/** @throws WorkerError `model_not_available` for a file whose size or hash is not known yet */
export function pinnedFilesOf({ id, files }: Manifest): PinnedFile[] {
  return files.map((file) => {
    const { size_bytes, sha256 } = file;
    if (size_bytes !== null && sha256 !== null) return { ...file, size_bytes, sha256 };
    throw new WorkerError('model_not_available', `The manifest of ${id} does not say what its files are.`, {
      cause: new Error(
        `${file.path} has no size or hash; fill them in with: node models/manifests/pin-manifest.mjs models/manifests/${id}.json`,
      ),
    });
  });
}
