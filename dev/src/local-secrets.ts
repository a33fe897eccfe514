/** The secrets of a stack on this machine: made once, kept under its data folder, readable by its owner alone. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const secretsSchema = z.object({
  runpodApiKey: z.string().min(1),
  webhookSecret: z.string().min(1),
});

export type LocalSecrets = z.infer<typeof secretsSchema> & {
  /** Path of a service account file in Google's form, with an RSA key of our own. */
  serviceAccountFile: string;
};

/**
 * Reads the secrets of a data folder, making those that are absent.
 * @throws {Error} when a file is there but is not what was written.
 */
export function readOrMakeSecrets(dataFolder: string, projectId: string): LocalSecrets {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const secretsFile = join(dataFolder, 'secrets.json');
  if (!existsSync(secretsFile)) {
    const made = { runpodApiKey: `local_${randomHex(16)}`, webhookSecret: randomHex(32) };
    writeWhole(secretsFile, made);
  }
  const serviceAccountFile = join(dataFolder, 'service-account.json');
  if (!existsSync(serviceAccountFile)) {
    writeWhole(serviceAccountFile, makeServiceAccount(projectId));
  }
  return { ...readSecrets(secretsFile), serviceAccountFile };
}

function readSecrets(file: string): z.infer<typeof secretsSchema> {
  try {
    return secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new Error(`${file} does not hold the secrets of a stack; delete it to have new ones made.`, {
      cause,
    });
  }
}

/** A killed process leaves the whole file or none. */
function writeWhole(file: string, content: object): void {
  writeFileSync(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The fields of a Google service account key file that the SDKs read. */
function makeServiceAccount(projectId: string) {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return {
    type: 'service_account',
    project_id: projectId,
    private_key_id: randomHex(20),
    private_key: privateKey,
    client_email: `firepod-worker@${projectId}.iam.gserviceaccount.com`,
    client_id: '0',
    token_uri: 'https://oauth2.googleapis.com/token',
  };
}

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
