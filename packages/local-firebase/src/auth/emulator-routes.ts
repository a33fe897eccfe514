/** `/emulator/…`: what the official emulator adds to the cloud's API for tests and for people, in the same shapes. */
import { type Context, Hono } from 'hono';
import { actionPage } from './action-page.ts';
import type { EmailCode, PhoneCode } from './codes.ts';
import { projectConfig, updateProjectConfig } from './project-config.ts';
import { providerPage, relayPage } from './provider-pages.ts';
import { callerOf, ensureProject, jsonBody } from './requests.ts';
import type { AuthService } from './service.ts';

/** Builds the routes below `/emulator`. */
export function createEmulatorRoutes(service: AuthService): Hono {
  const { accounts, codes } = service;
  const app = new Hono();
  const forProject = '/v1/projects/:project';
  app.use(`${forProject}/*`, async (context, next) => {
    ensureProject(context, service);
    await next();
  });
  app.delete(`${forProject}/accounts`, (context) => {
    accounts.deleteAll();
    return context.json({});
  });
  app.get(`${forProject}/config`, (context) => context.json(projectConfig(accounts)));
  app.patch(`${forProject}/config`, async (context) =>
    context.json(updateProjectConfig(accounts, await jsonBody(context))),
  );
  app.get(`${forProject}/oobCodes`, (context) =>
    context.json({ oobCodes: codes.email.all().map(withoutTime) }),
  );
  app.get(`${forProject}/verificationCodes`, (context) =>
    context.json({ verificationCodes: codes.phone.all().map(withoutTime) }),
  );
  app.get('/action', (context) => actionPage(service, context, callerOf(context)));
  app.get('/auth/handler', (context) => signInPage(service, context));
  app.get('/auth/iframe', (context) => context.html(relayPage));
  return app;
}

function signInPage({ accounts }: AuthService, context: Context): Response {
  const { apiKey, providerId } = context.req.query();
  if (!apiKey || !providerId) {
    return context.json({ authEmulator: { error: 'missing apiKey or providerId query parameters' } }, 400);
  }
  return context.html(providerPage(accounts.linksOfProvider(providerId)));
}

function withoutTime<Code extends EmailCode | PhoneCode>({ createdAt: _, ...code }: Code) {
  return code;
}
