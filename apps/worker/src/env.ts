/** The worker's environment: read once, checked whole, and passed on as plain values. */
import { accessSync, constants, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ATTEMPTS_MAX, LEASE_SECONDS } from '@firepod/contract';
import { settingsFrom, type WorkerSettings } from '@firepod/runpod/worker';
import { z } from 'zod';
import type { EngineSettings, ModelPlace } from './engines/engine.ts';
import { isHubName, parseHubName, splitModels } from './engines/hub-name.ts';
import { describeThrown, WorkerError } from './errors.ts';
import { parseServiceAccount, type ServiceAccount } from './service-account.ts';

/** Whether files can be read by everybody who knows their name, or only by who has their token. */
export type MediaAccess = 'public' | 'private';

/** The project that jobs are stored in. */
export interface FirebaseSettings {
  serviceAccount: ServiceAccount;
  bucket: string;
  /** `host:port` of a local Storage that takes the place of Google's; firebase-admin reads the same variable itself. */
  storageEmulatorHost: string | undefined;
  mediaAccess: MediaAccess;
}

/** Everything that the environment decides. */
export interface Environment {
  /** Null: the worker has none, and serves only jobs whose pictures go back in the output. */
  firebase: FirebaseSettings | null;
  attemptsMax: number;
  leaseSeconds: number;
  /** How long a running job may go on after SIGTERM. */
  shutdownGraceSeconds: number;
  /** Where results wait until RunPod has them. */
  spoolFolder: string;
  /** How long the program's event loop may be blocked before the process is replaced; 0: for ever. */
  stuckAfterSeconds: number;
  engine: EngineSettings;
  /** The ffmpeg that encodes videos; null: the one that comes with the worker. */
  ffmpegPath: string | null;
  runpod: WorkerSettings;
}

const wholeNumber = (min: number, max: number) =>
  z.coerce
    .number(`should be a whole number from ${min} to ${max}`)
    .int(`should be a whole number from ${min} to ${max}`)
    .min(min, `should be at least ${min}`)
    .max(max, `should be at most ${max}`);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for us
  }
}

/** Names with a typing mistake, which the sentence shows: they are no secrets. */
function unusableHubNames(models: string): string[] {
  return splitModels(models).filter((entry) => isHubName(entry) && !parseHubName(entry));
}

/** Our own variables, Firebase's, the hub's and ffmpeg's. RunPod's are read by `settingsFrom`. */
export const environmentSchema = z.object({
  FIREBASE_SERVICE_ACCOUNT_KEY: z
    .string('should be the service account key from the Firebase console, but is not set')
    .transform((text, context) => {
      try {
        return parseServiceAccount(text);
      } catch (error) {
        if (!(error instanceof WorkerError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
        return z.NEVER;
      }
    }),
  FIREBASE_STORAGE_BUCKET: z
    .string('should be the name of the Storage bucket, such as my-app.firebasestorage.app')
    .regex(/^[a-z0-9][a-z0-9._-]+$/, 'should be a bucket name without gs:// and without a path'),
  FIREBASE_STORAGE_EMULATOR_HOST: z
    .string()
    .regex(/^[^/:]+:\d+$/, 'should be host:port without a scheme')
    .optional(),
  FIREPOD_FIREBASE: z.enum(['required', 'none'], 'should be required or none').default('required'),
  FIREPOD_MEDIA_ACCESS: z.enum(['public', 'private'], 'should be public or private').default('public'),
  FIREPOD_MAX_ATTEMPTS: wholeNumber(1, 10).default(ATTEMPTS_MAX),
  FIREPOD_LEASE_SECONDS: wholeNumber(5, 600).default(LEASE_SECONDS),
  FIREPOD_SHUTDOWN_GRACE_SECONDS: wholeNumber(0, 3600).default(5),
  FIREPOD_SPOOL_FOLDER: z.string().default(join(tmpdir(), 'firepod-results')),
  FIREPOD_STUCK_AFTER_SECONDS: wholeNumber(0, 3600).default(60),
  FIREPOD_ENGINE: z.enum(['onnx', 'sd-server'], 'should be onnx or sd-server').default('onnx'),
  FIREPOD_MODEL: z
    .string('should be the folder of a model in the diffusers ONNX layout, or for sd-server its manifests')
    .min(1)
    .refine((models) => unusableHubNames(models).length === 0, {
      error: ({ input }) =>
        `should name a model of the hub as hf:owner/name or hf:owner/name@revision, but has ${unusableHubNames(String(input)).join(', ')}`,
    }),
  FIREPOD_EXECUTION_PROVIDER: z.enum(['cpu', 'cuda'], 'should be cpu or cuda').default('cpu'),
  FIREPOD_ENGINE_THREADS: wholeNumber(1, 256).optional(),
  FIREPOD_SD_SERVER: z.string().default('sd-server'),
  FIREPOD_MANIFESTS_FOLDER: z.string().default('models/manifests'),
  FIREPOD_WEIGHTS_FOLDER: z.string().default('/runpod-volume/firepod-weights'),
  HF_TOKEN: z.string().optional(),
  HF_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'should be an http or https address' })
    .transform((address) => address.replace(/\/+$/, ''))
    .optional(),
  FIREPOD_VRAM_GIB: z.coerce
    .number('should be a number of GiB')
    .min(1, 'should be at least 1')
    .max(1024, 'should be at most 1024')
    .optional(),
  FFMPEG_PATH: z
    .string()
    .refine(isProgram, 'should be the path of an ffmpeg program that may be run')
    .optional(),
});

const ignored = z
  .unknown()
  .optional()
  .transform(() => undefined);

const environmentWithoutFirebase = environmentSchema.extend({
  FIREBASE_SERVICE_ACCOUNT_KEY: ignored,
  FIREBASE_STORAGE_BUCKET: ignored,
});

/**
 * @param env usually `process.env`; empty values count as unset
 * @throws WorkerError `environment_invalid` whose message names every bad variable and shows no value of ours but a model's name
 */
export function readEnvironment(env: Record<string, string | undefined>): Environment {
  const problems: string[] = [];
  const schema = env['FIREPOD_FIREBASE'] === 'none' ? environmentWithoutFirebase : environmentSchema;
  const parsed = schema.safeParse(withoutEmpty(env));
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`));
  }
  const runpod = readRunpod(env, problems);
  if (!parsed.success || !runpod) {
    throw new WorkerError('environment_invalid', `The environment is not usable: ${problems.join('; ')}.`);
  }
  const values = parsed.data;
  const { FIREBASE_SERVICE_ACCOUNT_KEY: serviceAccount, FIREBASE_STORAGE_BUCKET: bucket } = values;
  return {
    firebase:
      serviceAccount && bucket
        ? {
            serviceAccount,
            bucket,
            storageEmulatorHost: values.FIREBASE_STORAGE_EMULATOR_HOST,
            mediaAccess: values.FIREPOD_MEDIA_ACCESS,
          }
        : null,
    attemptsMax: values.FIREPOD_MAX_ATTEMPTS,
    leaseSeconds: values.FIREPOD_LEASE_SECONDS,
    shutdownGraceSeconds: values.FIREPOD_SHUTDOWN_GRACE_SECONDS,
    spoolFolder: resolve(values.FIREPOD_SPOOL_FOLDER),
    stuckAfterSeconds: values.FIREPOD_STUCK_AFTER_SECONDS,
    engine: engineOf(values),
    ffmpegPath: values.FFMPEG_PATH ?? null,
    runpod,
  };
}

type Values = z.output<typeof environmentSchema>;

function engineOf(
  values: Omit<Values, 'FIREBASE_SERVICE_ACCOUNT_KEY' | 'FIREBASE_STORAGE_BUCKET'>,
): EngineSettings {
  if (values.FIREPOD_ENGINE === 'sd-server') {
    const { FIREPOD_MODEL: models, FIREPOD_SD_SERVER: program } = values;
    return {
      engine: 'sd-server',
      models: models.split(',').map((model) => model.trim()),
      manifestsFolder: resolve(values.FIREPOD_MANIFESTS_FOLDER),
      weightsFolder: resolve(values.FIREPOD_WEIGHTS_FOLDER),
      // A bare name is looked for on PATH; the server's own working folder is another one.
      program: program.includes('/') ? resolve(program) : program,
      vramGib: values.FIREPOD_VRAM_GIB ?? null,
    };
  }
  const { HF_TOKEN: token, HF_ENDPOINT: endpoint } = values;
  const placeOf = (entry: string): ModelPlace => {
    const name = parseHubName(entry);
    if (!name) return resolve(entry);
    const cacheFolder = resolve(values.FIREPOD_WEIGHTS_FOLDER);
    return { ...name, cacheFolder, ...(endpoint && { endpoint }), ...(token && { token }) };
  };
  const [model = resolve(), ...furtherModels] = splitModels(values.FIREPOD_MODEL).map(placeOf);
  return {
    engine: 'onnx',
    model,
    furtherModels,
    executionProvider: values.FIREPOD_EXECUTION_PROVIDER,
    threads: values.FIREPOD_ENGINE_THREADS ?? null,
  };
}

function readRunpod(env: Record<string, string | undefined>, problems: string[]): WorkerSettings | undefined {
  try {
    return settingsFrom(env);
  } catch (error) {
    problems.push(describeThrown(error).replace(/^This worker's environment is not usable: |\.$/g, ''));
    return undefined;
  }
}

function withoutEmpty(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
