/** Reads a Firebase service account key in every form that people put it into an environment variable. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { WorkerError } from './errors.ts';

/** What firebase-admin's `cert()` needs of a service account. */
export interface ServiceAccount {
  projectId: string;
  clientEmail: string;
  privateKey: string;
}

const field = z.string('is missing').min(1, 'is empty');

const serviceAccountFile = z.object({
  type: z.string().optional(),
  project_id: field,
  client_email: field,
  private_key: field,
});

const EXPECTED =
  'should be the service account key from the Firebase console: its JSON, the path of its file, or its JSON in base64';

/**
 * Accepts the JSON itself (also with its line breaks escaped, or real ones inside the key, as env files make them),
 * the path of a JSON file, or the JSON in base64.
 * @throws WorkerError `environment_invalid`: what is wrong, to follow the variable's name; it shows nothing of the text
 */
export function parseServiceAccount(text: string): ServiceAccount {
  const json = jsonText(text.trim());
  const value = parseJson(json) ?? parseJson(withMendedLineBreaks(json));
  if (typeof value !== 'object' || value === null) {
    throw unusable(`${EXPECTED}; this begins like JSON, but is none: was it cut off?`);
  }
  const parsed = serviceAccountFile.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw unusable(`${EXPECTED}; in this JSON ${faults.join(', ')}`);
  }
  const { type, project_id: projectId, client_email: clientEmail, private_key: key } = parsed.data;
  if (type !== undefined && type !== 'service_account') {
    throw unusable(`${EXPECTED}; this is another kind of credential: its type is not service_account`);
  }
  return { projectId, clientEmail, privateKey: checkedPrivateKey(key.replaceAll('\\n', '\n')) };
}

/** @throws WorkerError when the text is neither JSON, nor JSON in base64, nor the path of a file that can be read */
function jsonText(text: string): string {
  if (text.startsWith('{')) return text;
  const decoded = Buffer.from(text, 'base64').toString('utf8').trim();
  if (decoded.startsWith('{')) return decoded;
  try {
    return readFileSync(text, 'utf8').trim();
  } catch (cause) {
    throw unusable(
      `${EXPECTED}; this is neither JSON nor base64 of it, and no file with this name can be read`,
      cause,
    );
  }
}

/** Lines that were lost, a key cut short and a public key all show here, and not in the middle of the first job. */
function checkedPrivateKey(pem: string): string {
  try {
    createPrivateKey(pem);
    return pem;
  } catch (cause) {
    const why =
      'in this JSON private_key cannot be read as a private key: were its line breaks lost, or was it cut off?';
    throw unusable(`${EXPECTED}; ${why}`, cause);
  }
}

function unusable(what: string, cause?: unknown): WorkerError {
  return new WorkerError('environment_invalid', what, { cause });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller tries the next form
  }
}

/** Line breaks as JSON wants them: real ones between the fields, escaped ones inside the key. */
function withMendedLineBreaks(text: string): string {
  return text
    .replaceAll('\\n', '\n')
    .replace(/"-----BEGIN[^"]*"/g, (key) => key.replaceAll('\r', '').replaceAll('\n', '\\n'));
}
