/** The methods with one request: unary ones give one response, the others a list. gRPC and REST share them. */
import { aggregate, checkAggregations } from './aggregation.ts';
import { checkBatchWrite } from './commit-limits.ts';
import { pastReadsUnsupported } from './engine.ts';
import type { Caller } from './identity.ts';
import { createDocument, getDocument, listCollectionIds, listDocuments, masked } from './listing.ts';
import type {
  Aggregation,
  Consistency,
  Document,
  DocumentMask,
  Precondition,
  StructuredQuery,
  TransactionOptions,
  Write,
} from './messages.ts';
import { parseDocumentName } from './path.ts';
import type { Service } from './service.ts';
import { STATUS_NUMBERS, StatusError } from './status.ts';
import { toMessage } from './stored-document.ts';
import { timestampFromMicros } from './timestamp.ts';
import { documentOf } from './write.ts';

// biome-ignore lint/suspicious/noExplicitAny: each method knows its request; the transports pass decoded messages through.
type Method<Response> = (service: Service, caller: Caller, request: any) => Response;

/** Methods that answer with one message. */
export const unaryMethods: Record<string, Method<object | Promise<object>>> = {
  GetDocument: getDocument,
  ListDocuments: listDocuments,
  CreateDocument: createDocument,
  ListCollectionIds: listCollectionIds,
  async UpdateDocument(service, caller, { document, ...rest }: UpdateDocumentRequest) {
    const name = parseDocumentName(document?.name).name;
    const { updateMask, currentDocument, mask } = rest;
    const write = {
      update: document,
      ...(updateMask === undefined ? {} : { updateMask }),
      ...(currentDocument === undefined ? {} : { currentDocument }),
    };
    await service.engine.commit([write], undefined, service.guard.commitCheck(caller));
    return masked(service.engine.read(name)!, mask);
  },
  async DeleteDocument(
    service,
    caller,
    { name, currentDocument }: { name: string; currentDocument?: Precondition },
  ) {
    const write = { delete: name, ...(currentDocument === undefined ? {} : { currentDocument }) };
    await service.engine.commit([write], undefined, service.guard.commitCheck(caller));
    return {};
  },
  BeginTransaction(service, _caller, request: { database: string; options?: TransactionOptions }) {
    service.guard.checkDatabase(request.database);
    return { transaction: service.engine.begin(request.options) };
  },
  Commit(service, caller, request: { database: string; writes?: Write[]; transaction?: Buffer }) {
    service.guard.checkDatabase(request.database);
    const check = service.guard.commitCheck(caller);
    return service.engine.commit(request.writes ?? [], request.transaction, check);
  },
  Rollback(service, _caller, request: { database: string; transaction?: Buffer }) {
    service.guard.checkDatabase(request.database);
    if (request.transaction !== undefined) service.engine.rollback(request.transaction);
    return {};
  },
  async BatchWrite(service, caller, request: { database: string; writes?: Write[] }) {
    service.guard.checkDatabase(request.database);
    const check = service.guard.commitCheck(caller);
    const writes = request.writes ?? [];
    checkBatchWrite(writes.map(documentOf));
    const applied = writes.map(async (write) => {
      try {
        const { writeResults } = await service.engine.commit([write], undefined, check);
        return { result: writeResults[0]!, status: {} };
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        return { result: {}, status: { code: STATUS_NUMBERS[error.status], message: error.message } };
      }
    });
    const outcomes = await Promise.all(applied);
    return {
      writeResults: outcomes.map(({ result }) => result),
      status: outcomes.map(({ status }) => status),
    };
  },
  PartitionQuery() {
    throw new StatusError('UNIMPLEMENTED', 'Partition queries are not supported by this server.');
  },
};

/** Methods that answer with a stream of messages. */
export const streamingMethods: Record<string, Method<Promise<object[]>>> = {
  async BatchGetDocuments(service, caller, request: BatchGetDocumentsRequest) {
    service.guard.checkDatabase(request.database);
    const names = [...new Set(request.documents ?? [])];
    service.guard.checkReads(
      caller,
      names.map((name) => parseDocumentName(name).name),
    );
    const { transaction, begun } = transactionFor(service, request);
    await service.engine.takeTurn(transaction, names);
    const found = names.map((name) => ({ name, document: service.engine.read(name, transaction) }));
    const readTime = timestampFromMicros(service.engine.readMicros(transaction));
    const results = found.map(({ name, document }) =>
      document === undefined
        ? { missing: name, readTime }
        : { found: masked(document, request.mask), readTime },
    );
    return [...begun, ...results];
  },
  async RunQuery(service, caller, request: RunQueryRequest) {
    checkExplain(request);
    const query = service.engine.compile(request.parent, request.structuredQuery);
    service.guard.checkList(caller, query);
    const { transaction, begun } = transactionFor(service, request);
    const documents = service.engine.query(query, transaction);
    const readTime = timestampFromMicros(service.engine.readMicros(transaction));
    const results = documents.map((document) => ({ document: toMessage(query.project(document)), readTime }));
    return [...begun, ...(results.length > 0 ? results : [{ readTime }])];
  },
  async RunAggregationQuery(service, caller, request: RunAggregationQueryRequest) {
    checkExplain(request);
    const { structuredQuery, aggregations = [] } = request.structuredAggregationQuery ?? {};
    checkAggregations(aggregations);
    const query = service.engine.compile(request.parent, structuredQuery);
    service.guard.checkList(caller, query);
    const { transaction, begun } = transactionFor(service, request);
    const aggregateFields = aggregate(aggregations, {
      count: () => service.engine.count(query, transaction),
      documents: () => service.engine.query(query, transaction),
    });
    const readTime = timestampFromMicros(service.engine.readMicros(transaction));
    return [{ ...begun[0], result: { aggregateFields }, readTime }];
  },
};

type UpdateDocumentRequest = {
  document: Document;
  updateMask?: DocumentMask;
  mask?: DocumentMask;
  currentDocument?: Precondition;
};

type BatchGetDocumentsRequest = Consistency & { database: string; documents?: string[]; mask?: DocumentMask };

type RunQueryRequest = Consistency & {
  parent: string;
  structuredQuery?: StructuredQuery;
  explainOptions?: object;
};

type RunAggregationQueryRequest = Consistency & {
  parent: string;
  structuredAggregationQuery?: { structuredQuery?: StructuredQuery; aggregations?: Aggregation[] };
  explainOptions?: object;
};

/** `begun` is the message that tells the client about a transaction begun with this request. */
function transactionFor(
  { engine }: Service,
  { transaction, newTransaction, readTime }: Consistency,
): { transaction: Buffer | undefined; begun: { transaction: Buffer }[] } {
  if (readTime !== undefined) throw pastReadsUnsupported();
  if (newTransaction === undefined) return { transaction, begun: [] };
  const begun = engine.begin(newTransaction);
  return { transaction: begun, begun: [{ transaction: begun }] };
}

function checkExplain({ explainOptions }: { explainOptions?: object }): void {
  if (explainOptions === undefined) return;
  throw new StatusError('UNIMPLEMENTED', 'Query explain is not supported by this server.');
}
