import { z } from 'zod';
declare const secretsSchema: z.ZodObject<{
    runpodApiKey: z.ZodString;
    webhookSecret: z.ZodString;
}, z.core.$strip>;
export type LocalSecrets = z.infer<typeof secretsSchema> & {
    /** Path of a service account file in Google's form, with an RSA key of our own. */
    serviceAccountFile: string;
};
/**
 * Reads the secrets of a data folder, making those that are absent.
 * @throws {Error} when a file is there but is not what was written.
 */
export declare function readOrMakeSecrets(dataFolder: string, projectId: string): LocalSecrets;
export {};
