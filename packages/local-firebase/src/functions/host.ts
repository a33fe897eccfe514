/** Serves Cloud Functions over HTTP at `/{project}/{region}/{name}`, where the web SDK looks for them in an emulator. */
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { type ListenOptions, listen, type RunningServer } from '../http-server.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { subscribeToEvents } from './event-subscription.ts';
import { type ExportedFunction, exportedFunctions, type SkippedFunction } from './exported-functions.ts';

/** How to start the host. */
export type FunctionsHostOptions = ListenOptions & {
  projectId: string;
  /** Where functions run that name no region; `us-central1` when absent. */
  region?: string;
  /**
   * The exports of the functions' module, made with firebase-functions of either generation; groups may be nested.
   * Before that module is imported the process needs `GCLOUD_PROJECT`, `FIREBASE_CONFIG` and the emulators' host
   * variables, and what `parameterDefaults` gives afterwards: see the README beside this file.
   */
  functions: Record<string, unknown>;
  /** URLs of the local services whose events start functions; without any, functions that wait for events are not hosted. */
  eventSources?: readonly string[];
  logger?: Logger;
};

/** A function as it is hosted. */
export type HostedFunction = Pick<ExportedFunction, 'name' | 'region' | 'kind' | 'schedule'> & {
  url: string;
};

/** A running host. Scheduled functions run when their `url` is POSTed. */
export type RunningFunctionsHost = RunningServer & {
  hosted: readonly HostedFunction[];
  /** Exports that are functions but wait for events. */
  skipped: readonly SkippedFunction[];
};

/** What a second-generation function may receive (https://firebase.google.com/docs/functions/quotas). */
const maximumBody = '32mb';

/**
 * Starts the host and resolves when it listens. Tell the web SDK with `connectFunctionsEmulator(functions, host, port)`
 * or `emulatorHosts.functions`.
 *
 * @throws LocalFirebaseError `address_unavailable`.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<RunningFunctionsHost> {
  const { projectId, region = 'us-central1', logger = silentLogger } = options;
  const { eventSources = [] } = options;
  const { hosted, skipped } = exportedFunctions(options.functions, region, eventSources.length > 0);
  for (const each of skipped) logger.warn(each, 'function is not hosted');

  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  const keepRawBody = (request: object, _response: unknown, body: Buffer) => {
    Object.assign(request, { rawBody: body });
  };
  const limits = { limit: maximumBody, verify: keepRawBody };
  app.use(
    express.json({ ...limits, strict: false }),
    express.urlencoded({ ...limits, extended: true }),
    express.text({ ...limits, type: 'text/*' }),
    express.raw({ ...limits, type: () => true }),
  );
  for (const each of hosted) {
    app.use(`/${projectId}/${each.region}/${each.name}`, invocation(each, logger));
  }
  app.use(unknownFunction(hosted));
  app.use(failure(logger));

  const server = await listen(app, options);
  const urlOf = ({ region: at, name }: ExportedFunction) => `${server.url}/${projectId}/${at}/${name}`;
  const subscription = subscribeToEvents({
    projectId,
    eventSources,
    subscriptions: hosted.flatMap(({ event, ...each }) =>
      event === null ? [] : [{ functionName: each.name, url: urlOf({ ...each, event }), ...event }],
    ),
    logger,
  });
  return {
    ...server,
    async close() {
      subscription.close();
      await server.close();
    },
    hosted: hosted.map((each) => ({
      name: each.name,
      region: each.region,
      kind: each.kind,
      schedule: each.schedule,
      url: urlOf(each),
    })),
    skipped,
  };
}

/** Runs one function. It may go on after its response; what it throws then is logged. */
function invocation({ name, kind, handler }: ExportedFunction, logger: Logger): RequestHandler {
  return async (request, response) => {
    if (kind === 'schedule' && request.method !== 'POST') {
      sendError(response, 405, 'INVALID_ARGUMENT', `${name} runs on a schedule: start it with POST.`);
      return;
    }
    try {
      await handler(request, response);
    } catch (error) {
      logger.error({ function: name, error }, 'function failed');
      if (!response.headersSent) sendError(response, 500, 'INTERNAL', 'INTERNAL');
    }
  };
}

function unknownFunction(hosted: readonly ExportedFunction[]): RequestHandler {
  const names = hosted.map(({ region, name }) => `${region}-${name}`).join(', ');
  return (request, response) => {
    allowEveryOrigin(request, response);
    if (request.method === 'OPTIONS') {
      response.status(204).end();
      return;
    }
    const message = `Function ${request.path} does not exist, valid functions are: ${names}`;
    sendError(response, 404, 'NOT_FOUND', message);
  };
}

/** Bodies that cannot be parsed or are too large end here. */
function failure(logger: Logger): ErrorRequestHandler {
  return (error: { status?: number; message: string }, request, response, _next) => {
    allowEveryOrigin(request, response);
    const status = error.status ?? 500;
    if (status >= 500) logger.error({ path: request.path, error }, 'functions host failed');
    if (status >= 500) sendError(response, 500, 'INTERNAL', 'INTERNAL');
    else sendError(response, status, 'INVALID_ARGUMENT', error.message);
  };
}

/** Without it a web page sees "network error" instead of what is wrong. */
function allowEveryOrigin(request: Request, response: Response): void {
  response.set('access-control-allow-origin', '*');
  const asked = request.header('access-control-request-headers');
  if (asked !== undefined) response.set('access-control-allow-headers', asked);
}

/** The error envelope that callable clients read. */
function sendError(response: Response, httpStatus: number, status: string, message: string): void {
  response.status(httpStatus).json({ error: { code: httpStatus, status, message } });
}
