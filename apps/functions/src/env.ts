/** The parameters of the deployment, as Firebase's CLI asks for them and as the handlers read them. */
import {
  ATTEMPTS_MAX,
  FUNCTIONS_REGION,
  LEASE_SECONDS,
  type SourcePlaces,
  WEBHOOK_FUNCTION,
} from '@firepod/contract';
import { RUNPOD_BASE_URL } from '@firepod/runpod/client';
import { defineSecret, defineString, projectID, storageBucket } from 'firebase-functions/params';
import { z } from 'zod';
import { FirepodFunctionsError } from './errors.ts';

const runpodApiKey = defineSecret('RUNPOD_API_KEY');
const webhookSecret = defineSecret('FIREPOD_WEBHOOK_SECRET');

/** Secrets that a function has to be bound to before `readSettings` finds them. */
export const SECRETS = [runpodApiKey, webhookSecret];

const parameters = [
  defineString('RUNPOD_ENDPOINT_ID', {
    label: 'RunPod endpoint',
    description: 'Id of the serverless endpoint that runs the Firepod worker.',
  }),
  defineString('RUNPOD_ENDPOINT_BASE_URL', {
    label: 'RunPod API',
    description: 'Root of the endpoint API.',
    default: RUNPOD_BASE_URL,
  }),
  defineString('FIREPOD_DISPATCH', {
    label: 'How jobs are sent',
    description: 'run: to /run, which ends in milliseconds; runsync: to /runsync?wait=1000.',
    default: 'run',
  }),
  defineString('FIREPOD_WEBHOOK_URL', {
    label: 'Address of runpodWebhook',
    description: `Empty: https://${FUNCTIONS_REGION}-{project}.cloudfunctions.net/${WEBHOOK_FUNCTION}.`,
    default: '',
  }),
  defineString('FIREPOD_MODEL', {
    label: 'Model',
    description:
      'Ids of the model cards in firepod_models whose limits hold, separated by commas; of several, the first that has the task. Empty: only the limits of the contract.',
    default: '',
  }),
  defineString('FIREPOD_MAX_ATTEMPTS', {
    label: 'Attempts',
    description: 'How many workers may be lost before a generation fails.',
    default: String(ATTEMPTS_MAX),
  }),
  defineString('FIREPOD_LEASE_SECONDS', {
    label: 'Lease',
    description: 'Seconds after which a silent worker has lost its job; the worker has the same parameter.',
    default: String(LEASE_SECONDS),
  }),
];

/** A text parameter; the CLI alone applies defaults, so an unset one arrives empty and gets its default here. */
function text<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema);
}

const httpUrl = z.url({ protocol: /^https?$/, error: 'expected an http or https address' });

function wholeNumber(minimum: number, maximum: number, fallback: number) {
  const error = `expected a whole number from ${minimum} to ${maximum}`;
  return text(
    z.coerce
      .number({ error })
      .int({ error })
      .min(minimum, { error })
      .max(maximum, { error })
      .default(fallback),
  );
}

const settingsSchema = z.object({
  RUNPOD_API_KEY: text(z.string({ error: 'expected an API key of RunPod' })),
  FIREPOD_WEBHOOK_SECRET: text(
    z
      .string({ error: 'expected a random text of at least 16 characters' })
      .min(16, { error: 'expected a random text of at least 16 characters' }),
  ),
  RUNPOD_ENDPOINT_ID: text(
    z
      .string({ error: 'expected the id of an endpoint' })
      .regex(/^[A-Za-z0-9_-]{1,128}$/, { error: 'expected the id of an endpoint' }),
  ),
  RUNPOD_ENDPOINT_BASE_URL: text(httpUrl.default(RUNPOD_BASE_URL)),
  FIREPOD_DISPATCH: text(z.enum(['run', 'runsync'], { error: 'expected run or runsync' }).default('run')),
  FIREPOD_WEBHOOK_URL: text(httpUrl.optional()),
  FIREPOD_MODEL: text(
    z
      .string()
      .transform((ids) => ids.split(',').map((id) => id.trim()))
      .pipe(
        z.array(
          z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
            error: 'expected ids of model cards, separated by commas',
          }),
        ),
      )
      .optional(),
  ),
  FIREPOD_MAX_ATTEMPTS: wholeNumber(1, 10, ATTEMPTS_MAX),
  // As the worker takes it: a shorter lease would lapse between two of its renewals.
  FIREPOD_LEASE_SECONDS: wholeNumber(5, 600, LEASE_SECONDS),
});

/** Everything that is set for a deployment, as plain values. */
export interface Settings {
  readonly runpod: { readonly apiKey: string; readonly endpointId: string; readonly baseUrl: string };
  /** `/run`, or `/runsync` as the integration guide shows. */
  readonly dispatch: 'run' | 'runsync';
  readonly webhook: { readonly url: string; readonly secret: string };
  /** Where the pictures lie that users upload to start from. */
  readonly sources: SourcePlaces;
  /** Whose cards' limits hold: of several, the first that has the task; none: the contract's alone. */
  readonly modelIds: readonly string[];
  readonly attemptsMax: number;
  readonly leaseSeconds: number;
}

/**
 * Reads the parameters; to be called inside handlers, because at deployment they have no values yet.
 *
 * @throws {FirepodFunctionsError} `settings_invalid`, naming every parameter that is missing or malformed
 */
export function readSettings(): Settings {
  const values = Object.fromEntries(
    [...SECRETS, ...parameters].map((parameter) => [parameter.name, parameter.value()]),
  );
  const parsed = settingsSchema.safeParse(values);
  if (!parsed.success) throw settingsInvalid(parsed.error.issues);
  const settings = parsed.data;
  return {
    runpod: {
      apiKey: settings.RUNPOD_API_KEY,
      endpointId: settings.RUNPOD_ENDPOINT_ID,
      baseUrl: settings.RUNPOD_ENDPOINT_BASE_URL,
    },
    dispatch: settings.FIREPOD_DISPATCH,
    webhook: {
      url: settings.FIREPOD_WEBHOOK_URL ?? defaultWebhookUrl(),
      secret: settings.FIREPOD_WEBHOOK_SECRET,
    },
    sources: {
      bucket: storageBucket.value() || null,
      // The SDK's own variable, set where a local Storage stands for Google's.
      storageEmulatorHost: process.env['FIREBASE_STORAGE_EMULATOR_HOST'],
    },
    modelIds: settings.FIREPOD_MODEL ?? [],
    attemptsMax: settings.FIREPOD_MAX_ATTEMPTS,
    leaseSeconds: settings.FIREPOD_LEASE_SECONDS,
  };
}

function defaultWebhookUrl(): string {
  return `https://${FUNCTIONS_REGION}-${projectID.value()}.cloudfunctions.net/${WEBHOOK_FUNCTION}`;
}

/** Names are safe to show to a caller; values may be secrets and are never shown. */
function settingsInvalid(issues: readonly z.core.$ZodIssue[]): FirepodFunctionsError {
  const faults = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return new FirepodFunctionsError('settings_invalid', `The functions are not set up. ${faults.join('; ')}.`);
}
