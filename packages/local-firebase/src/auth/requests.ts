/** What the routes of Auth need of a request: its JSON body, who calls, and for which project. */
import type { Context } from 'hono';
import { AuthRequestError, ensure } from './errors.ts';
import { isJsonObject, type JsonObject } from './request-fields.ts';
import type { AuthService, Caller } from './service.ts';

/** An empty body is an empty object. @throws AuthRequestError 400 when the body is not a JSON object. */
export async function jsonBody(context: Context): Promise<JsonObject> {
  const text = await context.req.text();
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (isJsonObject(body)) return body;
  throw new AuthRequestError('Invalid JSON payload received. Expected an object.', {
    status: 'INVALID_ARGUMENT',
  });
}

/** The Admin SDK sends `Bearer owner` to an emulator. Any other token would need Google to check it: 401. */
export function callerOf(context: Context): Caller {
  const { origin } = new URL(context.req.url);
  const authorization = context.req.header('authorization');
  if (authorization === undefined) return { privileged: false, origin };
  if (/^bearer owner$/i.test(authorization)) return { privileged: true, origin };
  throw new AuthRequestError('Request had invalid authentication credentials.', {
    httpStatus: 401,
    status: 'UNAUTHENTICATED',
    reason: 'authError',
  });
}

/** @throws AuthRequestError 401 unless an administrator calls, for the project that is served. */
export function administratorOf(context: Context, service: AuthService): Caller {
  const caller = callerOf(context);
  if (!caller.privileged) {
    throw new AuthRequestError('Request is missing required authentication credential.', {
      httpStatus: 401,
      status: 'UNAUTHENTICATED',
      reason: 'required',
    });
  }
  ensureProject(context, service);
  return caller;
}

/** @throws AuthRequestError INVALID_PROJECT_ID */
export function ensureProject(context: Context, { projectId }: AuthService): void {
  const asked = context.req.param('project');
  ensure(
    asked === projectId,
    `INVALID_PROJECT_ID : This Auth serves the project "${projectId}", not "${asked}".`,
  );
}

/** Any key will do, but a missing one is a fault that the cloud would refuse. @throws AuthRequestError 403 */
export function ensureApiKey(context: Context): void {
  if (context.req.query('key') || context.req.header('x-goog-api-key')) return;
  throw new AuthRequestError('The request is missing a valid API key.', {
    httpStatus: 403,
    status: 'PERMISSION_DENIED',
    reason: 'forbidden',
  });
}
