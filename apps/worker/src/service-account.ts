/** Reads a Firebase service account key in every form that people put it into an environment variable. */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** What firebase-admin's `cert()` needs of a service account. */
export interface ServiceAccount {
  projectId: string;
  clientEmail: string;
  privateKey: string;
}

const serviceAccountFile = z.object({
  project_id: z.string().min(1),
  client_email: z.string().min(1),
  private_key: z.string().includes('PRIVATE KEY'),
});

/**
 * Accepts the JSON itself (also with its line breaks escaped, or real ones inside the key, as env files make them),
 * the path of a JSON file, or the JSON in base64.
 * @returns null when `text` is none of these; nothing of it may be printed, so there is no message either
 */
export function parseServiceAccount(text: string): ServiceAccount | null {
  const trimmed = text.trim();
  const json = trimmed.startsWith('{')
    ? trimmed
    : existsSync(trimmed)
      ? readFileSync(trimmed, 'utf8')
      : Buffer.from(trimmed, 'base64').toString('utf8');
  const parsed = serviceAccountFile.safeParse(parseJson(json) ?? parseJson(withMendedLineBreaks(json)));
  if (!parsed.success) return null;
  return {
    projectId: parsed.data.project_id,
    clientEmail: parsed.data.client_email,
    privateKey: parsed.data.private_key.replaceAll('\\n', '\n'),
  };
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
