/** The REST transport: proto3 JSON over the URLs of the v1 API, as firestore/lite and web transactions use them. */
import { streamingMethods, unaryMethods } from './methods.ts';
import { databaseOf } from './path.ts';
import { firestoreMethods, messageFromJson, messageToJson } from './protos.ts';
import type { Service } from './service.ts';
import { invalidArgument, StatusError } from './status.ts';

export type RestRequest = {
  method: string;
  path: string;
  parameters: URLSearchParams;
  authorization: string | undefined;
  body: string;
};

/** `:verb` at the end of a POST's URL → method. `database` and `parent` are in the URL only. */
const VERBS: Record<string, string> = {
  batchGet: 'BatchGetDocuments',
  batchWrite: 'BatchWrite',
  beginTransaction: 'BeginTransaction',
  commit: 'Commit',
  listCollectionIds: 'ListCollectionIds',
  partitionQuery: 'PartitionQuery',
  rollback: 'Rollback',
  runAggregationQuery: 'RunAggregationQuery',
  runQuery: 'RunQuery',
};

const definitions = new Map(firestoreMethods().map((definition) => [definition.name, definition]));

/**
 * Returns the JSON of the response; for streaming methods an array.
 *
 * @throws StatusError
 */
export async function answerRest(service: Service, request: RestRequest): Promise<unknown> {
  const { name, message } = resolve(request);
  const definition = definitions.get(name)!;
  const caller = service.callerOf(request.authorization);
  const streaming = streamingMethods[name];
  if (streaming !== undefined) {
    const responses = await streaming(service, caller, message);
    return responses.map((response) => messageToJson(definition.responseType, response));
  }
  return messageToJson(definition.responseType, await unaryMethods[name]!(service, caller, message));
}

type ResolvedRequest = { name: string; message: object };

function resolve(request: RestRequest): ResolvedRequest {
  const path = decodePath(request.path);
  if (!path.startsWith('v1/')) throw notFound(request);
  const resource = path.slice('v1/'.length);
  const verb = request.method === 'POST' ? /^(.*):(\w+)$/s.exec(resource) : null;
  if (verb !== null) return resolveVerb(request, verb[1]!, verb[2]!);
  const parts = resource.split('/');
  if (parts[0] !== 'projects' || parts[4] !== 'documents' || parts.length < 6) throw notFound(request);
  return parts.length % 2 === 1 ? resolveDocument(request, resource) : resolveCollection(request, resource);
}

function resolveVerb(request: RestRequest, resource: string, verb: string): ResolvedRequest {
  const name = VERBS[verb];
  if (name === undefined) {
    throw new StatusError('UNIMPLEMENTED', `Method ":${verb}" is not supported by this server.`);
  }
  const message = { ...parseBody(request.body, definitions.get(name)!.requestType) };
  // The URL wins: bodies need not repeat what it says.
  return { name, message: { ...message, database: databaseOf(resource), parent: resource } };
}

function resolveDocument(request: RestRequest, name: string): ResolvedRequest {
  const { parameters } = request;
  const mask = maskOf(parameters, 'mask.fieldPaths');
  const precondition = preconditionOf(parameters);
  switch (request.method) {
    case 'GET':
      return {
        name: 'GetDocument',
        message: {
          ...jsonParameters('GetDocumentRequest', parameters, ['transaction', 'readTime']),
          name,
          ...mask,
        },
      };
    case 'DELETE':
      return { name: 'DeleteDocument', message: { name, ...precondition } };
    case 'PATCH': {
      const document = { ...parseBody(request.body, 'Document'), name };
      const updateMask = maskOf(parameters, 'updateMask.fieldPaths', 'updateMask');
      return { name: 'UpdateDocument', message: { document, ...mask, ...updateMask, ...precondition } };
    }
    default:
      throw notFound(request);
  }
}

function resolveCollection(request: RestRequest, resource: string): ResolvedRequest {
  const { parameters } = request;
  const slash = resource.lastIndexOf('/');
  const place = { parent: resource.slice(0, slash), collectionId: resource.slice(slash + 1) };
  const mask = maskOf(parameters, 'mask.fieldPaths');
  if (request.method === 'GET') {
    const names = ['pageSize', 'pageToken', 'orderBy', 'showMissing', 'transaction', 'readTime'];
    return {
      name: 'ListDocuments',
      message: { ...jsonParameters('ListDocumentsRequest', parameters, names), ...place, ...mask },
    };
  }
  if (request.method === 'POST') {
    const documentId = parameters.get('documentId') ?? '';
    return {
      name: 'CreateDocument',
      message: { ...place, documentId, document: parseBody(request.body, 'Document'), ...mask },
    };
  }
  throw notFound(request);
}

function parseBody(body: string, type: string): object {
  let json: unknown;
  try {
    json = body === '' ? {} : JSON.parse(body);
  } catch (cause) {
    throw invalidArgument(`Invalid JSON payload received: ${(cause as Error).message}`, { cause });
  }
  return messageFromJson(type, json);
}

/** Query parameters as the fields of a message, typed by its definition. */
function jsonParameters(type: string, parameters: URLSearchParams, names: string[]): object {
  const json: Record<string, unknown> = {};
  for (const name of names) {
    const text = parameters.get(name);
    if (text !== null) json[name] = name === 'showMissing' ? text === 'true' : text;
  }
  return messageFromJson(type, json);
}

function maskOf(parameters: URLSearchParams, parameter: string, field = 'mask'): object {
  return parameters.has(parameter) ? { [field]: { fieldPaths: parameters.getAll(parameter) } } : {};
}

function preconditionOf(parameters: URLSearchParams): object {
  const exists = parameters.get('currentDocument.exists');
  const updateTime = parameters.get('currentDocument.updateTime');
  if (exists === null && updateTime === null) return {};
  const json = exists !== null ? { exists: exists === 'true' } : { updateTime };
  return { currentDocument: messageFromJson('Precondition', json) };
}

function decodePath(path: string): string {
  try {
    return path.slice(1).split('/').map(decodeURIComponent).join('/');
  } catch (cause) {
    throw invalidArgument(`The URL path "${path}" is not valid percent-encoding.`, { cause });
  }
}

function notFound({ method, path }: RestRequest): StatusError {
  return new StatusError('NOT_FOUND', `There is nothing at ${method} ${path}.`);
}
