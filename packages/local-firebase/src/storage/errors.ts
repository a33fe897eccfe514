/** The refusals of Cloud Storage, in the JSON that client libraries parse and the XML that public links answer with. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** A refusal that goes over the wire with the cloud's status, reason and message. */
export class StorageRequestError extends Error {
  readonly httpStatus: ContentfulStatusCode;
  /** `errors[0].reason`: `notFound`, `conditionNotMet`, `invalid` … */
  readonly reason: string;

  constructor(httpStatus: ContentfulStatusCode, reason: string, message: string) {
    super(message);
    this.name = 'StorageRequestError';
    this.httpStatus = httpStatus;
    this.reason = reason;
  }
}

/** 400 for a request that cannot be understood. */
export function invalid(message: string): StorageRequestError {
  return new StorageRequestError(400, 'invalid', message);
}

/** 404 for an object, in the cloud's words. */
export function noSuchObject(bucket: string, name: string): StorageRequestError {
  return new StorageRequestError(404, 'notFound', `No such object: ${bucket}/${name}`);
}

/** 412: a precondition names another generation or metageneration than there is. */
export function preconditionFailed(): StorageRequestError {
  const message = 'At least one of the pre-conditions you specified did not hold.';
  return new StorageRequestError(412, 'conditionNotMet', message);
}

/** 501 for what the cloud does and this server does not. */
export function notImplemented(what: string): StorageRequestError {
  const message = `The local Storage does not do ${what}. See packages/local-firebase/src/storage/README.md.`;
  return new StorageRequestError(501, 'notImplemented', message);
}

/** The JSON envelope of both JSON APIs. */
export function errorBody({ httpStatus, reason, message }: StorageRequestError): object {
  return {
    error: { code: httpStatus, message, errors: [{ message, domain: 'global', reason }] },
  };
}

const xmlCodes: Record<string, string> = {
  notFound: 'NoSuchKey',
  forbidden: 'AccessDenied',
  conditionNotMet: 'PreconditionFailed',
  notImplemented: 'NotImplemented',
  internalError: 'InternalError',
};

/** The XML that `https://storage.googleapis.com/{bucket}/{object}` answers with. */
export function errorXml({ reason, message }: StorageRequestError): string {
  const code = xmlCodes[reason] ?? 'InvalidArgument';
  const text = message.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${text}</Message></Error>`;
}
