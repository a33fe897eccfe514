/** The refusals of Cloud Storage, in the JSON that client libraries parse and the XML that public links answer with. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** A refusal that goes over the wire with the cloud's status, reason and message. */
export class StorageRequestError extends Error {
  readonly httpStatus: ContentfulStatusCode | 304;
  /** `errors[0].reason`: `notFound`, `conditionNotMet`, `invalid` … */
  readonly reason: string;
  /** More, for people: `<Details>` of the XML. */
  readonly details: string | undefined;

  constructor(httpStatus: ContentfulStatusCode | 304, reason: string, message: string, details?: string) {
    super(message);
    this.name = 'StorageRequestError';
    this.httpStatus = httpStatus;
    this.reason = reason;
    this.details = details;
  }
}

/** 400 for a request that cannot be understood. */
export function invalid(message: string): StorageRequestError {
  return new StorageRequestError(400, 'invalid', message);
}

/** 404 for a bucket, in the cloud's words. */
export function noSuchBucket(): StorageRequestError {
  return new StorageRequestError(404, 'notFound', noSuchBucketMessage);
}

const noSuchBucketMessage = 'The specified bucket does not exist.';

/** 404 for an object, in the cloud's words. */
export function noSuchObject(bucket: string, name: string): StorageRequestError {
  return new StorageRequestError(404, 'notFound', `No such object: ${bucket}/${name}`);
}

/** 412: a precondition names another generation or metageneration than there is. */
export function preconditionFailed(): StorageRequestError {
  const message = 'At least one of the pre-conditions you specified did not hold.';
  return new StorageRequestError(412, 'conditionNotMet', message);
}

/** 304: a reader has this generation or metageneration already. */
export function notModified(): StorageRequestError {
  return new StorageRequestError(304, 'notModified', 'Not Modified');
}

/** 501 for what the cloud does and this server does not. */
export function notImplemented(what: string): StorageRequestError {
  const message = `The local Storage does not do ${what}. See packages/local-firebase/src/storage/README.md.`;
  return new StorageRequestError(501, 'notImplemented', message);
}

function errorBody({ httpStatus, reason, message }: StorageRequestError): object {
  return {
    error: { code: httpStatus, message, errors: [{ message, domain: 'global', reason }] },
  };
}

/** `<Code>` of https://cloud.google.com/storage/docs/xml-api/reference-status, by reason. */
const xmlCodes: Record<string, string> = {
  expiredToken: 'ExpiredToken',
  signatureDoesNotMatch: 'SignatureDoesNotMatch',
  invalidSecurity: 'InvalidSecurity',
  malformedSecurityHeader: 'MalformedSecurityHeader',
  requestTimeTooSkewed: 'RequestTimeTooSkewed',
  entityTooLarge: 'EntityTooLarge',
  entityTooSmall: 'EntityTooSmall',
  badDigest: 'BadDigest',
  noSuchUpload: 'NoSuchUpload',
  notFound: 'NoSuchKey',
  forbidden: 'AccessDenied',
  conditionNotMet: 'PreconditionFailed',
  notImplemented: 'NotImplemented',
  internalError: 'InternalError',
};

/** The answer to a refusal by the JSON APIs: an envelope, except for 304, which has no body. */
export function errorResponse(error: StorageRequestError, headers: Record<string, string>): Response {
  const { httpStatus: status } = error;
  return status === 304
    ? new Response(null, { status, headers })
    : Response.json(errorBody(error), { status, headers });
}

/** The XML that `https://storage.googleapis.com/{bucket}/{object}` answers with. */
export function errorXml({ reason, message, details }: StorageRequestError): string {
  const named = message === noSuchBucketMessage ? 'NoSuchBucket' : xmlCodes[reason];
  const code = named ?? 'InvalidArgument';
  const more = details === undefined ? '' : `<Details>${escaped(details)}</Details>`;
  return `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${escaped(message)}</Message>${more}</Error>`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
