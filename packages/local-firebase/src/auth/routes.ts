/** Maps the paths of Identity Toolkit v1, Secure Token v1 and the emulator's own API to the operations. */
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import type { Logger } from '../logger.ts';
import { deleteAccount, deleteAccounts } from './delete-account.ts';
import { AuthRequestError, ensure, errorAnswer, notImplemented } from './errors.ts';
import { listAccounts, lookUp } from './look-up.ts';
import { projectConfig, updateProjectConfig } from './project-config.ts';
import { isJsonObject, type JsonObject, requestFields } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';
import { refreshSession } from './sessions.ts';
import { signInWithCustomToken, signInWithPassword } from './sign-in.ts';
import { signUp } from './sign-up.ts';
import { updateAccount } from './update-account.ts';

/** `/v1/{call}`, for apps: an API key says which project, an ID token who. */
const clientOperations = new Map<string, Operation>([
  ['accounts:signUp', signUp],
  ['accounts:signInWithPassword', signInWithPassword],
  ['accounts:signInWithCustomToken', signInWithCustomToken],
  ['accounts:lookup', lookUp],
  ['accounts:update', updateAccount],
  ['accounts:delete', deleteAccount],
]);

/** `/v1/projects/{project}/{call}`, for administrators. */
const administratorOperations = new Map<string, Operation>([
  ['accounts', signUp],
  ['accounts:lookup', lookUp],
  ['accounts:update', updateAccount],
  ['accounts:delete', deleteAccount],
  ['accounts:batchDelete', deleteAccounts],
]);

/** Builds the routes. Every origin may call, as in the cloud: the API has no cookies to steal. */
export function createAuthRoutes(service: AuthService, logger: Logger): Hono {
  const app = new Hono();
  app.use(cors());
  app.onError((error, context) => {
    if (error instanceof AuthRequestError) return errorAnswer(context, error);
    logger.error({ path: context.req.path, error }, 'Auth could not answer');
    return errorAnswer(
      context,
      new AuthRequestError('INTERNAL_ERROR', { httpStatus: 500, status: 'INTERNAL' }),
    );
  });
  app.notFound((context) =>
    errorAnswer(context, notImplemented(`${context.req.method} ${context.req.path}`)),
  );

  app.get('/', (context) => context.json({ authEmulator: { ready: true } }));
  app.post('/identitytoolkit.googleapis.com/v1/:call', async (context) => {
    const operation = clientOperations.get(context.req.param('call'));
    if (operation === undefined) throw notImplemented(context.req.param('call'));
    const privileged = isPrivileged(context);
    if (!privileged) ensureApiKey(context);
    return context.json(await operation(service, requestFields(await jsonBody(context)), { privileged }));
  });
  app.post('/identitytoolkit.googleapis.com/v1/projects/:project/:call', async (context) => {
    ensureAdministrator(context, service);
    const operation = administratorOperations.get(context.req.param('call'));
    if (operation === undefined) throw notImplemented(context.req.param('call'));
    return context.json(
      await operation(service, requestFields(await jsonBody(context)), { privileged: true }),
    );
  });
  app.get('/identitytoolkit.googleapis.com/v1/projects/:project/:call', (context) => {
    ensureAdministrator(context, service);
    if (context.req.param('call') !== 'accounts:batchGet') throw notImplemented(context.req.param('call'));
    const { maxResults, nextPageToken } = context.req.query();
    return context.json(listAccounts(service, { maxResults, nextPageToken }));
  });
  app.post('/securetoken.googleapis.com/v1/token', async (context) => {
    ensureApiKey(context);
    return context.json(await refreshAnswer(service, context));
  });
  app.delete('/emulator/v1/projects/:project/accounts', (context) => {
    ensureProject(context, service);
    service.accounts.deleteAll();
    return context.json({});
  });
  app.get('/emulator/v1/projects/:project/config', (context) => {
    ensureProject(context, service);
    return context.json(projectConfig(service.accounts));
  });
  app.patch('/emulator/v1/projects/:project/config', async (context) => {
    ensureProject(context, service);
    return context.json(updateProjectConfig(service.accounts, await jsonBody(context)));
  });
  return app;
}

/** Secure Token speaks OAuth: a form in, snake_case out. */
async function refreshAnswer(service: AuthService, context: Context): Promise<JsonObject> {
  const form = new URLSearchParams(await context.req.text());
  ensure(form.get('grant_type') !== null, 'MISSING_GRANT_TYPE');
  ensure(form.get('grant_type') === 'refresh_token', 'INVALID_GRANT_TYPE');
  const refreshToken = form.get('refresh_token');
  ensure(refreshToken, 'MISSING_REFRESH_TOKEN');
  const { idToken, expiresIn, localId } = refreshSession(service, refreshToken);
  return {
    access_token: idToken,
    id_token: idToken,
    expires_in: expiresIn,
    refresh_token: refreshToken,
    token_type: 'Bearer',
    user_id: localId,
    project_id: service.projectId,
  };
}

async function jsonBody(context: Context): Promise<JsonObject> {
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

/** The Admin SDK sends `Bearer owner` to an emulator. Any other token would need Google to check it. */
function isPrivileged(context: Context): boolean {
  const authorization = context.req.header('authorization');
  if (authorization === undefined) return false;
  if (/^bearer owner$/i.test(authorization)) return true;
  throw new AuthRequestError('Request had invalid authentication credentials.', {
    httpStatus: 401,
    status: 'UNAUTHENTICATED',
    reason: 'authError',
  });
}

function ensureAdministrator(context: Context, service: AuthService): void {
  if (!isPrivileged(context)) {
    throw new AuthRequestError('Request is missing required authentication credential.', {
      httpStatus: 401,
      status: 'UNAUTHENTICATED',
      reason: 'required',
    });
  }
  ensureProject(context, service);
}

function ensureProject(context: Context, { projectId }: AuthService): void {
  const asked = context.req.param('project');
  ensure(
    asked === projectId,
    `INVALID_PROJECT_ID : This Auth serves the project "${projectId}", not "${asked}".`,
  );
}

/** Any key will do, but a missing one is a fault that the cloud would refuse. */
function ensureApiKey(context: Context): void {
  if (context.req.query('key') || context.req.header('x-goog-api-key')) return;
  throw new AuthRequestError('The request is missing a valid API key.', {
    httpStatus: 403,
    status: 'PERMISSION_DENIED',
    reason: 'forbidden',
  });
}
