/** Loads Firestore's protocol buffer definitions and converts messages between bytes, JSON and one plain object form. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fromProto3JSON, toProto3JSON } from 'proto3-json-serializer';
import protobuf from 'protobufjs';
import { invalidArgument } from './status.ts';

// The definitions are read from the package's sources: the compiler does not copy them, and this path holds from
// src/firestore and dist/firestore alike.
const PROTO_FOLDER = new URL('../../src/firestore/protos/google/', import.meta.url);

const PROTO_FILES = [
  'type/latlng.proto',
  'rpc/status.proto',
  'firestore/v1/bloom_filter.proto',
  'firestore/v1/document.proto',
  'firestore/v1/common.proto',
  'firestore/v1/aggregation_result.proto',
  'firestore/v1/query_profile.proto',
  'firestore/v1/query.proto',
  'firestore/v1/write.proto',
  'firestore/v1/firestore.proto',
];

const WELL_KNOWN_FILES = ['any', 'duration', 'empty', 'struct', 'timestamp', 'wrappers'];

const PACKAGE = 'google.firestore.v1';

// Absent fields stay absent and a oneof shows as its one key, so that the same object round-trips to JSON.
const OBJECT_FORM: protobuf.IConversionOptions = {
  longs: String,
  enums: String,
  bytes: Buffer,
  defaults: false,
  oneofs: false,
};

const root = loadRoot();
const types = new Map<string, protobuf.Type>();

function loadRoot(): protobuf.Root {
  const loaded = new protobuf.Root();
  for (const name of WELL_KNOWN_FILES) {
    const definition = protobuf.common.get(`google/protobuf/${name}.proto`);
    if (definition?.nested) loaded.addJSON(definition.nested);
  }
  for (const file of PROTO_FILES) {
    protobuf.parse(readFileSync(fileURLToPath(new URL(file, PROTO_FOLDER)), 'utf8'), loaded);
  }
  loaded.resolveAll();
  return loaded;
}

function typeOf(name: string): protobuf.Type {
  let type = types.get(name);
  if (type === undefined) {
    type = root.lookupType(name.includes('.') ? name : `${PACKAGE}.${name}`);
    types.set(name, type);
  }
  return type;
}

/** Message → bytes. `typeName` is relative to google.firestore.v1 unless it has a dot. */
export function encodeMessage(typeName: string, message: object): Buffer {
  const type = typeOf(typeName);
  return type.encode(type.fromObject(message)).finish() as Buffer;
}

/** Bytes → message: int64 as decimal strings, enums as names, bytes as Buffers, unset fields absent. */
export function decodeMessage(typeName: string, bytes: Uint8Array): object {
  const type = typeOf(typeName);
  return type.toObject(type.decode(bytes), OBJECT_FORM);
}

/**
 * Proto3 JSON → message, in the form of {@link decodeMessage}.
 *
 * @throws StatusError INVALID_ARGUMENT when the JSON is not such a message.
 */
export function messageFromJson(typeName: string, json: unknown): object {
  const type = typeOf(typeName);
  try {
    const message = fromProto3JSON(type, json as Parameters<typeof fromProto3JSON>[1]);
    if (message === null) throw new Error('The message is null.');
    return type.toObject(message, OBJECT_FORM);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidArgument(`Invalid JSON payload for ${typeName}: ${reason}`, { cause });
  }
}

/** Message → proto3 JSON. Serialize the result with {@link stringifyJson}, which keeps negative zero. */
export function messageToJson(typeName: string, message: object): unknown {
  return toProto3JSON(typeOf(typeName).fromObject(message) as Parameters<typeof toProto3JSON>[0]);
}

/** JSON.stringify loses the sign of -0, which proto3 JSON writes as a string. */
export function stringifyJson(json: unknown): string {
  return JSON.stringify(json, (_key, value: unknown) => (Object.is(value, -0) ? '-0' : value));
}

/** One method of the service, as transports need it. */
export type MethodDefinition = {
  name: string;
  path: string;
  requestType: string;
  responseType: string;
  requestStream: boolean;
  responseStream: boolean;
};

/** The methods of google.firestore.v1.Firestore. */
export function firestoreMethods(): MethodDefinition[] {
  const service = root.lookupService(`${PACKAGE}.Firestore`);
  return service.methodsArray.map((method) => ({
    name: method.name,
    path: `/${PACKAGE}.Firestore/${method.name}`,
    requestType: method.resolvedRequestType!.fullName.slice(1),
    responseType: method.resolvedResponseType!.fullName.slice(1),
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
  }));
}
