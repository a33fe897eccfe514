/** The gRPC transport: what firebase-admin, @google-cloud/firestore and the web SDK in Node speak. */
import type { Socket } from 'node:net';
import grpc from '@grpc/grpc-js';
import type { Caller } from './identity.ts';
import { createListenSession, type Outlet, type StreamSession } from './listen.ts';
import { streamingMethods, unaryMethods } from './methods.ts';
import { decodeMessage, encodeMessage, firestoreMethods } from './protos.ts';
import { type Service, toStatusError } from './service.ts';
import { STATUS_NUMBERS } from './status.ts';
import { createWriteSession } from './write-stream.ts';

/** Firestore takes requests of up to 10 MiB: the rest is room for headers and for saying no. */
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

export type GrpcTransport = {
  /** Serves a socket on which an HTTP/2 client has begun to speak. Nobody else may touch it afterwards. */
  accept(socket: Socket): void;
  close(): void;
};

export function createGrpcTransport(service: Service): GrpcTransport {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_send_message_length': -1,
  });
  server.addService(serviceDefinition(), implementation(service));
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return {
    accept: (socket) => injector.injectConnection(socket),
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

function serviceDefinition(): grpc.ServiceDefinition {
  return Object.fromEntries(
    firestoreMethods().map((method): [string, grpc.MethodDefinition<object, object>] => [
      method.name,
      {
        path: method.path,
        requestStream: method.requestStream,
        responseStream: method.responseStream,
        requestSerialize: (message) => encodeMessage(method.requestType, message),
        requestDeserialize: (bytes) => decodeMessage(method.requestType, bytes),
        responseSerialize: (message) => encodeMessage(method.responseType, message),
        responseDeserialize: (bytes) => decodeMessage(method.responseType, bytes),
      },
    ]),
  );
}

function implementation(service: Service): grpc.UntypedServiceImplementation {
  const handlers: grpc.UntypedServiceImplementation = {
    Listen: streamHandler(service, createListenSession),
    Write: streamHandler(service, createWriteSession),
  };
  for (const [name, method] of Object.entries(unaryMethods)) {
    handlers[name] = async (
      call: grpc.ServerUnaryCall<object, object>,
      respond: grpc.sendUnaryData<object>,
    ) => {
      try {
        respond(null, await method(service, callerOfCall(service, call), call.request));
      } catch (error) {
        respond(grpcErrorOf(service, error));
      }
    };
  }
  for (const [name, method] of Object.entries(streamingMethods)) {
    handlers[name] = async (call: grpc.ServerWritableStream<object, object>) => {
      sendHeaders(call);
      try {
        for (const response of await method(service, callerOfCall(service, call), call.request))
          call.write(response);
        call.end();
      } catch (error) {
        call.emit('error', grpcErrorOf(service, error));
      }
    };
  }
  return handlers;
}

type CreateSession = (
  service: Service,
  caller: Caller,
  // biome-ignore lint/suspicious/noExplicitAny: sessions know their messages; this transport passes them through.
  outlet: Outlet<any>,
  // biome-ignore lint/suspicious/noExplicitAny: as above.
) => StreamSession<any>;

function streamHandler(service: Service, createSession: CreateSession) {
  return (call: grpc.ServerDuplexStream<object, object>) => {
    let session: StreamSession<object> | undefined;
    let isOver = false;
    sendHeaders(call);
    const close = () => {
      isOver = true;
      session?.close();
      session = undefined;
    };
    const fail = (error: unknown) => {
      if (isOver) return;
      close();
      call.emit('error', grpcErrorOf(service, error));
    };
    call.on('data', async (request: object) => {
      if (isOver) return;
      try {
        session ??= createSession(service, callerOfCall(service, call), {
          send(response) {
            if (!isOver) call.write(response);
          },
          // HTTP/2 takes no more than the client makes room for.
          isCongested: () => call.writableNeedDrain,
          fail,
        });
        await session.handle(request);
      } catch (error) {
        fail(error);
      }
    });
    call.on('drain', () => session?.onRelief());
    call.on('end', () => {
      close();
      call.end();
    });
    call.on('cancelled', close);
    call.on('error', close);
  };
}

/** Ahead of everything: google-gax takes a stream that fails before its headers for a lost one, and repeats it for seconds. */
function sendHeaders(call: { sendMetadata(headers: grpc.Metadata): void }): void {
  call.sendMetadata(new grpc.Metadata());
}

function callerOfCall(service: Service, call: { metadata: grpc.Metadata }): Caller {
  const [authorization] = call.metadata.get('authorization');
  return service.callerOf(authorization?.toString());
}

function grpcErrorOf(service: Service, error: unknown): { code: number; details: string } {
  const { status, message } = toStatusError(service, error);
  return { code: STATUS_NUMBERS[status], details: message };
}
