/** Starts Firebase Hosting for one built web app: its files, and the configuration that the Firebase SDKs look for. */

import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { type ListenOptions, listen, type RunningServer } from '../http-server.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type EmulatorHosts, firebaseDefaultsScript, insertIntoHead } from './firebase-defaults.ts';
import { openSiteFolder, type SiteFile } from './site-folder.ts';

/** How to start Hosting. */
export type HostingOptions = ListenOptions & {
  /** The built app, with an `index.html`. */
  folder: string;
  /** What `initializeApp()` takes; served as `/__/firebase/init.json` and as `__FIREBASE_DEFAULTS__.config`. */
  firebaseConfig: Record<string, unknown>;
  /** Local services that the SDKs shall use. Absent: the cloud's. */
  emulatorHosts?: EmulatorHosts;
  logger?: Logger;
};

/**
 * Starts Hosting and resolves when it listens. Any path without a file is answered with `index.html`, as a single-page
 * app needs it, except paths that name a file (`/assets/x.js`): those are 404.
 *
 * @throws LocalFirebaseError `data_unreadable` when the folder has no `index.html`, or `address_unavailable`.
 */
export async function startHosting(options: HostingOptions): Promise<RunningServer> {
  const { firebaseConfig, emulatorHosts = {}, logger = silentLogger } = options;
  const site = await openSiteFolder(options.folder);
  const script = firebaseDefaultsScript(firebaseConfig, emulatorHosts);
  const app = new Hono();
  app.onError((error, context) => {
    logger.error({ path: context.req.path, error }, 'Hosting failed');
    return context.text('Internal error', 500);
  });
  app.get('/__/firebase/init.json', (context) =>
    context.json(firebaseConfig, 200, { 'cache-control': 'no-cache' }),
  );
  app.get('/__/*', (context) => context.text('Not found', 404));
  app.get('*', async (context) => {
    const { path } = context.req;
    const file = (await site.find(path)) ?? (namesFile(path) ? null : await site.find('/index.html'));
    if (file === null) return context.text('Not found', 404, { 'cache-control': 'no-cache' });
    return fileResponse(context.req.raw, file, script);
  });
  app.all('*', (context) => context.text('Method not allowed', 405, { allow: 'GET, HEAD' }));
  return listen(getRequestListener(app.fetch, { overrideGlobalObjects: false }), options);
}

/** A page's address has no extension; what has one and is not there must not be answered with a page. */
function namesFile(path: string): boolean {
  return /\.[A-Za-z0-9]+$/.test(path);
}

async function fileResponse(request: Request, file: SiteFile, script: string): Promise<Response> {
  const isPage = file.contentType.startsWith('text/html');
  const bytes = isPage
    ? Buffer.from(insertIntoHead((await file.read()).toString(), script))
    : await file.read();
  const headers = new Headers({
    'content-type': file.contentType,
    'content-length': String(bytes.length),
    'cache-control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: file.etag(bytes),
    'x-content-type-options': 'nosniff',
  });
  if (request.headers.get('if-none-match') === headers.get('etag')) {
    headers.delete('content-length');
    return new Response(null, { status: 304, headers });
  }
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(bytes), { headers });
}
