/** Firestore on one port: tells gRPC from HTTP/1.1 by the first bytes of a connection and hands it over. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { LocalFirebaseError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { DocumentReader } from '../rules/firestore-values.ts';
import type { RulesSource } from '../rules/live-rules.ts';
import { createGrpcTransport } from './grpc.ts';
import { createHttpTransport } from './http.ts';
import type { IndexesFile } from './indexes/indexes-file.ts';
import { createService, type Service } from './service.ts';
import { openStore } from './store.ts';
import type { Clock } from './timestamp.ts';
import type { TransactionLimits } from './transactions.ts';

/** How to start Firestore. */
export type FirestoreOptions = {
  /** 0, the default, takes any free port. */
  port?: number;
  host?: string;
  /** The one project that this server holds; its databases come into being when they are written. */
  projectId: string;
  /** Path of the libsql file, made on demand. One process at a time. */
  databaseFile: string;
  /** The contents of firestore.indexes.json. Without it no query is refused for want of an index, as in Firebase's emulator. */
  indexes?: IndexesFile;
  /** How long transactions and their locks last; the cloud's figures unless given. */
  transactions?: TransactionLimits;
  /** What clients may do; without it nothing. The Admin SDK may do everything. */
  rules?: RulesSource;
  logger?: Logger;
  /** Milliseconds since 1970. */
  clock?: Clock;
};

/** A Firestore that answers until it is closed. */
export type FirestoreServer = {
  port: number;
  host: string;
  /** Reads a document by its full name, as the `firestore.get()` of Storage rules needs it. */
  readDocument: DocumentReader;
  /** Ends every connection and closes the file; calling it again is harmless. */
  close(): Promise<void>;
};

/** How an HTTP/2 connection begins. */
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

/**
 * Opens the store and listens.
 *
 * @throws LocalFirebaseError `invalid_rules`, `data_unreadable` or `address_unavailable`
 */
export async function startFirestore(options: FirestoreOptions): Promise<FirestoreServer> {
  const { port = 0, host = '127.0.0.1', projectId, databaseFile } = options;
  const { logger = silentLogger, clock = Date.now } = options;
  const store = openStore(databaseFile);
  const service = openService();
  const grpcTransport = createGrpcTransport(service);
  const httpTransport = createHttpTransport(service);
  const httpServer = createHttpServer(httpTransport.handle);
  // Channels stay open for as long as a tab does.
  httpServer.requestTimeout = 0;
  httpServer.keepAliveTimeout = 60_000;

  const sockets = new Set<Socket>();
  const tcpServer = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (err) => logger.debug({ err }, 'A Firestore connection broke'));
    socket.setNoDelay(true);
    routeByPreface(socket, grpcTransport.accept, (http1) => {
      httpServer.emit('connection', http1);
      // Only for HTTP/1.1: a socket that HTTP/2 has taken over breaks when anybody resumes it.
      http1.resume();
    });
  });

  function openService(): Service {
    try {
      const engine = { indexes: options.indexes, transactions: options.transactions };
      return createService({ projectId, store, rules: options.rules, clock, logger, engine });
    } catch (error) {
      store.close();
      throw error;
    }
  }

  function closeEverything(): void {
    httpTransport.close();
    grpcTransport.close();
    service.rules.close();
    service.triggers.close();
    for (const socket of sockets) socket.destroy();
    store.close();
  }

  try {
    await new Promise<void>((resolve, reject) => {
      tcpServer.once('error', reject);
      tcpServer.listen(port, host, resolve);
    });
  } catch (cause) {
    closeEverything();
    const reason = (cause as Error).message;
    throw new LocalFirebaseError('address_unavailable', `Cannot listen on ${host}:${port}: ${reason}.`, {
      cause,
    });
  }
  const bound = (tcpServer.address() as AddressInfo).port;
  logger.info({ host, port: bound, projectId }, 'Firestore is ready');

  let closing: Promise<void> | undefined;
  return {
    port: bound,
    host,
    readDocument: store.read,
    close() {
      closing ??= new Promise((resolve) => {
        tcpServer.close(() => resolve());
        closeEverything();
      });
      return closing;
    },
  };
}

/** Waits until the bytes have shown what they are, puts them back, and hands the socket on. */
function routeByPreface(
  socket: Socket,
  acceptHttp2: (socket: Socket) => void,
  acceptHttp1: (socket: Socket) => void,
): void {
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const length = Math.min(received.length, HTTP2_PREFACE.length);
    const isPrefix = received.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    if (isPrefix && length < HTTP2_PREFACE.length) return;
    socket.off('data', onData);
    socket.pause();
    socket.unshift(received);
    if (isPrefix) acceptHttp2(socket);
    else acceptHttp1(socket);
  };
  socket.on('data', onData);
}
