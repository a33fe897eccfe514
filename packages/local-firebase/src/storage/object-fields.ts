/** Reads what a client may set on an object from a JSON body, for a new object or as a patch of an old one. */
import { invalid } from './errors.ts';
import { downloadTokensKey, type ObjectFields } from './object.ts';

const textFields = [
  'contentType',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
  'customTime',
] as const;

/** A parsed JSON body, nothing known about it. */
export type JsonBody = Record<string, unknown>;

/** Parses a JSON object; an empty body is an empty object. @throws StorageRequestError 400 */
export function parseJsonBody(text: string): JsonBody {
  let body: unknown;
  try {
    body = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as JsonBody;
  throw invalid('Parse Error: the body is not a JSON object.');
}

/** The settable fields of a body that makes an object. Others, such as `name`, are left for who needs them. */
export function fieldsOf(body: JsonBody): ObjectFields {
  return patchedFields({}, body);
}

/**
 * Fields after a PATCH: what the body names is set, null removes, everything else stays. `metadata` is merged key by key.
 *
 * @throws StorageRequestError 400 when a field is no text.
 */
export function patchedFields(old: ObjectFields, body: JsonBody): ObjectFields {
  const fields: ObjectFields = { ...old };
  for (const name of textFields) {
    const value = body[name];
    if (value === undefined) continue;
    if (value === null) delete fields[name];
    else if (typeof value === 'string') fields[name] = value;
    else throw invalid(`Invalid value for field ${name}: expected text, got ${JSON.stringify(value)}`);
  }
  const metadata = body['metadata'];
  if (metadata === null) delete fields.metadata;
  else if (metadata !== undefined) fields.metadata = patchedMetadata(old.metadata ?? {}, metadata);
  return fields;
}

function patchedMetadata(old: Record<string, string>, patch: unknown): Record<string, string> {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    throw invalid(`Invalid value for field metadata: expected an object, got ${JSON.stringify(patch)}`);
  }
  const merged = new Map(Object.entries(old));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else if (['string', 'number', 'boolean'].includes(typeof value)) merged.set(key, String(value));
    else throw invalid(`Invalid value for metadata ${key}: expected text, got ${JSON.stringify(value)}`);
  }
  return Object.fromEntries(merged);
}

/** The fields with these download tokens in place of the old ones. */
export function withDownloadTokens(fields: ObjectFields, tokens: readonly string[]): ObjectFields {
  return { ...fields, metadata: { ...fields.metadata, [downloadTokensKey]: tokens.join(',') } };
}

/** Custom metadata of a client may not smuggle tokens in. */
export function withoutTokens(body: JsonBody): JsonBody {
  const { metadata } = body;
  if (typeof metadata !== 'object' || metadata === null) return body;
  const { [downloadTokensKey]: _tokens, ...custom } = metadata as JsonBody;
  return { ...body, metadata: custom };
}
