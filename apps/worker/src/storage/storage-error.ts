/** Tells apart what Cloud Storage refuses: a lost race, a bucket without ACLs, a passing fault. */
import { z } from 'zod';

const storageError = z.looseObject({
  code: z.coerce.number().int().optional().catch(undefined),
  message: z.string().catch(''),
  errors: z.array(z.looseObject({ reason: z.string().optional(), message: z.string().optional() })).catch([]),
});

/** What to make of a failed request. `conflict`: the object's generation is not the expected one. */
export type StorageFault = 'conflict' | 'acl-refused' | 'not-found' | 'transient' | 'permanent';

/**
 * Buckets with uniform access answer an ACL with 400, those with public access prevention with 412, the status that a
 * generation's mismatch has too: https://cloud.google.com/storage/docs/uniform-bucket-level-access and
 * https://cloud.google.com/storage/docs/public-access-prevention
 */
const ACL_REFUSED_WORDS = /uniform bucket-level access|legacy ACL|public access prevention/i;

/** Statuses that Cloud Storage documents as worth a repetition; no status at all is a network's fault. */
const TRANSIENT_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

/** The fault behind anything that the SDK threw. */
export function storageFaultOf(thrown: unknown): StorageFault {
  const { code, message, errors } = storageError.parse(thrown);
  const words = [message, ...errors.map((error) => `${error.reason} ${error.message}`)].join(' ');
  if ((code === 400 || code === 412) && ACL_REFUSED_WORDS.test(words)) return 'acl-refused';
  if (code === 412) return 'conflict';
  if (code === 404) return 'not-found';
  return code === undefined || TRANSIENT_STATUSES.has(code) ? 'transient' : 'permanent';
}
