/** The error answers of the Identity Toolkit and Secure Token services, in the shape and with the strings that the SDKs map to their codes. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** A refusal that goes over the wire. `message` starts with the vendor's code: `EMAIL_EXISTS`, `WEAK_PASSWORD : Password should …`. */
export class AuthRequestError extends Error {
  readonly httpStatus: ContentfulStatusCode;
  /** Google's canonical status, for the answers that carry one. */
  readonly status: string | undefined;
  readonly reason: string;

  constructor(
    message: string,
    {
      httpStatus = 400,
      status,
      reason = 'invalid',
    }: { httpStatus?: ContentfulStatusCode; status?: string; reason?: string } = {},
  ) {
    super(message);
    this.name = 'AuthRequestError';
    this.httpStatus = httpStatus;
    this.status = status;
    this.reason = reason;
  }
}

/** Throws the vendor's error unless the condition holds. */
export function ensure(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AuthRequestError(message);
}

/** For what the cloud does and this server does not, so that nobody takes silence for success. */
export function notImplemented(what: string): AuthRequestError {
  const message = `NOT_IMPLEMENTED : The local Auth does not do ${what}. See packages/local-firebase/src/auth/README.md.`;
  return new AuthRequestError(message, { httpStatus: 501, status: 'UNIMPLEMENTED', reason: 'unimplemented' });
}

/** Google's JSON envelope around an error. */
export function errorAnswer(context: Context, error: AuthRequestError): Response {
  const { message, httpStatus, status, reason } = error;
  const envelope = {
    code: httpStatus,
    message,
    errors: [{ message, reason, domain: 'global' }],
    ...(status === undefined ? {} : { status }),
  };
  return context.json({ error: envelope }, httpStatus);
}
