/** Maps the paths of Identity Toolkit v1 and v2, Secure Token v1 and the emulator's own API to the operations. */
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import type { Logger } from '../logger.ts';
import { deleteAccount, deleteAccounts } from './delete-account.ts';
import { resetPassword, sendEmailCode } from './email-codes.ts';
import { createEmulatorRoutes } from './emulator-routes.ts';
import { AuthRequestError, ensure, errorAnswer, notImplemented } from './errors.ts';
import { importAccounts } from './import-accounts.ts';
import { listAccounts, lookUp, queryAccounts } from './look-up.ts';
import { projectConfig, updateProjectConfig } from './project-config.ts';
import { type JsonObject, requestFields } from './request-fields.ts';
import { administratorOf, callerOf, ensureApiKey, jsonBody } from './requests.ts';
import type { AuthService, Caller, Operation } from './service.ts';
import { createSessionCookie } from './session-cookies.ts';
import { refreshSession } from './sessions.ts';
import { signInWithCustomToken, signInWithPassword } from './sign-in.ts';
import { signInWithEmailLink } from './sign-in-by-email-link.ts';
import { sendPhoneCode, signInWithPhoneNumber } from './sign-in-by-phone.ts';
import { signInWithProvider } from './sign-in-by-provider.ts';
import { createAuthUri } from './sign-in-methods.ts';
import { signUp } from './sign-up.ts';
import { updateAccount } from './update-account.ts';

/** `/v1/{call}`, for apps: an API key says which project, an ID token who. */
const clientOperations = new Map<string, Operation>([
  ['accounts:signUp', signUp],
  ['accounts:signInWithPassword', signInWithPassword],
  ['accounts:signInWithCustomToken', signInWithCustomToken],
  ['accounts:signInWithEmailLink', signInWithEmailLink],
  ['accounts:signInWithIdp', signInWithProvider],
  ['accounts:signInWithPhoneNumber', signInWithPhoneNumber],
  ['accounts:sendVerificationCode', sendPhoneCode],
  ['accounts:sendOobCode', sendEmailCode],
  ['accounts:resetPassword', resetPassword],
  ['accounts:createAuthUri', createAuthUri],
  ['accounts:lookup', lookUp],
  ['accounts:update', updateAccount],
  ['accounts:delete', deleteAccount],
]);

/** `/v1/projects/{project}/{call}`, for administrators. */
const administratorOperations = new Map<string, Operation>([
  ['accounts', signUp],
  ['accounts:lookup', lookUp],
  ['accounts:query', queryAccounts],
  ['accounts:update', updateAccount],
  ['accounts:delete', deleteAccount],
  ['accounts:batchCreate', importAccounts],
  ['accounts:batchDelete', deleteAccounts],
  ['accounts:sendOobCode', sendEmailCode],
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
  app.route('/emulator', createEmulatorRoutes(service));
  app.route('/identitytoolkit.googleapis.com', createToolkitRoutes(service));
  app.post('/securetoken.googleapis.com/v1/token', async (context) => {
    ensureApiKey(context);
    return context.json(await refreshAnswer(service, context));
  });
  return app;
}

function createToolkitRoutes(service: AuthService): Hono {
  const app = new Hono();
  const run = async (context: Context, operation: Operation | undefined, caller: Caller) => {
    if (operation === undefined) throw notImplemented(context.req.param('call') ?? '');
    const fields = requestFields(await jsonBody(context));
    if (fields.text('tenantId') !== undefined) throw notImplemented('tenants');
    return context.json(await operation(service, fields, caller));
  };
  app.get('/v1/projects', (context) => {
    ensureApiKey(context);
    return context.json({ projectId: service.projectId, authorizedDomains: ['localhost', '127.0.0.1'] });
  });
  app.get('/v1/recaptchaParams', (context) => {
    ensureApiKey(context);
    return context.json({ kind: 'identitytoolkit#GetRecaptchaParamResponse', recaptchaSiteKey: 'none' });
  });
  app.get('/v2/recaptchaConfig', (context) => {
    ensureApiKey(context);
    return context.json({ recaptchaKey: '', recaptchaEnforcementState: [] });
  });
  app.get('/v2/passwordPolicy', (context) => {
    ensureApiKey(context);
    return context.json(passwordPolicy);
  });
  app.post('/v1/:call', (context) => {
    const caller = callerOf(context);
    if (!caller.privileged) ensureApiKey(context);
    return run(context, clientOperations.get(context.req.param('call')), caller);
  });
  app.post('/v1/:projectCall{projects/[^/]+:createSessionCookie}', (context) => {
    const [, project] = /^projects\/(.+):createSessionCookie$/.exec(context.req.param('projectCall')) ?? [];
    ensure(project === service.projectId, `INVALID_PROJECT_ID : This Auth serves "${service.projectId}".`);
    const caller = callerOf(context);
    if (!caller.privileged) ensureApiKey(context);
    return run(context, createSessionCookie, caller);
  });
  app.post('/v1/projects/:project/:call', (context) => {
    const caller = administratorOf(context, service);
    return run(context, administratorOperations.get(context.req.param('call')), caller);
  });
  app.get('/v1/projects/:project/:call', (context) => {
    administratorOf(context, service);
    if (context.req.param('call') !== 'accounts:batchGet') throw notImplemented(context.req.param('call'));
    const { maxResults, nextPageToken, tenantId } = context.req.query();
    if (tenantId !== undefined) throw notImplemented('tenants');
    return context.json(listAccounts(service, { maxResults, nextPageToken }));
  });
  // The Admin SDK's projectConfigManager(): the settings that there are.
  const configName = { name: `projects/${service.projectId}/config` };
  app.get('/v2/projects/:project/config', (context) => {
    administratorOf(context, service);
    return context.json({ ...configName, ...projectConfig(service.accounts) });
  });
  app.patch('/v2/projects/:project/config', async (context) => {
    administratorOf(context, service);
    const changed = updateProjectConfig(service.accounts, await jsonBody(context));
    return context.json({ ...configName, ...changed });
  });
  return app;
}

/** The default of a project that has set none: `validatePassword()` of the web SDK reads it. */
const passwordPolicy = {
  customStrengthOptions: { minPasswordLength: 6, maxPasswordLength: 4096 },
  allowedNonAlphanumericCharacters: [...'^$*.[]{}()?"!@#%&/\\,><\':;|_~'],
  schemaVersion: 1,
  enforcementState: 'OFF',
  forceUpgradeOnSignin: false,
};

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
