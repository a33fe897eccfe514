/** The webhook's address for one attempt, with a token that only we can make: RunPod itself signs nothing. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Which attempt of which generation a webhook speaks of. */
export interface WebhookSubject {
  readonly fileUid: string;
  /** From 1. */
  readonly attempt: number;
}

/** `{base}?file_uid=…&attempt=…&token=…`, to be given to RunPod with the job. */
export function webhookUrl(base: string, secret: string, subject: WebhookSubject): string {
  const url = new URL(base);
  url.searchParams.set('file_uid', subject.fileUid);
  url.searchParams.set('attempt', String(subject.attempt));
  url.searchParams.set('token', webhookToken(secret, subject).toString('hex'));
  return url.href;
}

/** Reads the subject of a webhook's query; null where a part is missing, malformed or not signed by us. */
export function readWebhookSubject(
  query: Readonly<Record<string, unknown>>,
  secret: string,
): WebhookSubject | null {
  const { file_uid: fileUid, attempt, token } = query;
  if (typeof fileUid !== 'string' || typeof attempt !== 'string' || typeof token !== 'string') return null;
  if (!/^[1-9]\d{0,5}$/.test(attempt)) return null;
  const subject = { fileUid, attempt: Number(attempt) };
  return isToken(token, webhookToken(secret, subject)) ? subject : null;
}

/** HMAC-SHA-256 over `file_uid|attempt`; a `file_uid` holds no `|`, so the text is unambiguous. */
function webhookToken(secret: string, { fileUid, attempt }: WebhookSubject): Buffer {
  return createHmac('sha256', secret).update(`${fileUid}|${attempt}`).digest();
}

/** Compares in a time that does not tell how much of the token was right. */
function isToken(token: string, expected: Buffer): boolean {
  if (!/^[0-9a-f]{64}$/.test(token)) return false;
  return timingSafeEqual(Buffer.from(token, 'hex'), expected);
}
