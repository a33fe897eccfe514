/** The secrets of a stack on this machine: made once, kept under its data folder, readable by its owner alone. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
const secretsSchema = z.object({
    runpodApiKey: z.string().min(1),
    webhookSecret: z.string().min(1),
});
/**
 * Reads the secrets of a data folder, making those that are absent.
 * @throws {Error} when a file is there but is not what was written.
 */
export function readOrMakeSecrets(dataFolder, projectId) {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const secretsFile = join(dataFolder, 'secrets.json');
    if (!existsSync(secretsFile)) {
        const made = { runpodApiKey: `local_${randomHex(16)}`, webhookSecret: randomHex(32) };
        writeFileSync(secretsFile, JSON.stringify(made), { mode: 0o600 });
    }
    const serviceAccountFile = join(dataFolder, 'service-account.json');
    if (!existsSync(serviceAccountFile)) {
        writeFileSync(serviceAccountFile, JSON.stringify(makeServiceAccount(projectId)), { mode: 0o600 });
    }
    const parsed = secretsSchema.safeParse(JSON.parse(readFileSync(secretsFile, 'utf8')));
    if (!parsed.success)
        throw new Error(`${secretsFile} does not hold the secrets of a stack; delete it to have new ones made.`);
    return { ...parsed.data, serviceAccountFile };
}
/** The fields of a Google service account key file that the SDKs read. */
function makeServiceAccount(projectId) {
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
function randomHex(bytes) {
    return randomBytes(bytes).toString('hex');
}
//# sourceMappingURL=local-secrets.js.map