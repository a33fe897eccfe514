/** One Listen stream: many targets, and after each commit one consistent snapshot across them. */
import type { Change } from './engine.ts';
import type { Caller } from './identity.ts';
import type { ListenRequest, ListenResponse, Target, TargetChange } from './messages.ts';
import { type Service, toStatusError } from './service.ts';
import { STATUS_NUMBERS, StatusError } from './status.ts';
import { toMessage } from './stored-document.ts';
import { type ActiveTarget, createTarget, type TargetDelta } from './target.ts';
import { timestampFromMicros } from './timestamp.ts';

/** What a transport does with a stream: hand in requests in order, and close it when the client is gone. */
export type StreamSession<Request> = {
  handle(request: Request): void | Promise<void>;
  /** The client has read what made the outlet congested. */
  onRelief(): void;
  close(): void;
};

/** What a stream does with its transport. */
export type Outlet<Response> = {
  /** Must not throw. */
  send(response: Response): void;
  /** Whether the client is so far behind that what can wait should. */
  isCongested(): boolean;
  /** Ends the stream with an error. */
  fail(error: StatusError): void;
};

/**
 * A client that reads slowly is told the newest state when it is ready for it, not every one in between. Of so many
 * changed documents that it has not heard of the stream ends, and the client comes back with its resume tokens.
 */
const MAX_DEFERRED_DOCUMENTS = 10_000;

export function createListenSession(
  service: Service,
  caller: Caller,
  outlet: Outlet<ListenResponse>,
): StreamSession<ListenRequest> {
  const { engine, guard } = service;
  const { send } = outlet;
  const targets = new Map<number, ActiveTarget>();
  const deferred = new Map<string, Change>();
  const unsubscribe = engine.subscribe((changes) => {
    if (targets.size === 0) return;
    if (outlet.isCongested()) defer(changes);
    else applyCommit(changes);
  });

  function defer(changes: readonly Change[]): void {
    for (const change of changes) {
      const earlier = deferred.get(change.name);
      deferred.set(change.name, earlier === undefined ? change : { ...change, before: earlier.before });
    }
    if (deferred.size <= MAX_DEFERRED_DOCUMENTS) return;
    close();
    outlet.fail(new StatusError('UNAVAILABLE', 'The client reads too slowly: the stream must be resumed.'));
  }

  function applyDeferred(): void {
    if (deferred.size === 0) return;
    const changes = [...deferred.values()];
    deferred.clear();
    applyCommit(changes);
  }

  function close(): void {
    unsubscribe();
    targets.clear();
    deferred.clear();
  }

  function sendChange(
    targetChangeType: TargetChange['targetChangeType'],
    targetIds: number[],
    details: Partial<TargetChange> = {},
  ): void {
    send({ targetChange: { targetChangeType, targetIds, ...details } });
  }

  function addTarget(request: Target): void {
    const id = request.targetId ?? 0;
    sendChange('ADD', [id]);
    let target: ActiveTarget;
    try {
      target = createTarget(engine, guard, caller, request);
    } catch (error) {
      // A target that is refused ends alone: the stream and its other targets go on.
      const { status, message } = toStatusError(service, error);
      sendChange('REMOVE', [id], { cause: { code: STATUS_NUMBERS[status], message } });
      return;
    }
    targets.set(id, target);
    const isResuming = (request.resumeToken?.length ?? 0) > 0 || request.readTime !== undefined;
    const sinceVersion = readResumeToken(request.resumeToken);
    const resumed = sinceVersion === undefined ? undefined : target.resume(sinceVersion);
    // RESET makes the client drop what is not sent again, so that a full result is right whatever it had.
    if (isResuming && resumed === undefined) sendChange('RESET', [id]);
    const micros = engine.readMicros();
    sendDeltas([[id, resumed ?? target.start()]], micros);
    if (resumed !== undefined && request.expectedCount !== undefined) {
      send({ filter: { targetId: id, count: target.count() } });
    }
    const snapshot = { resumeToken: resumeToken(), readTime: timestampFromMicros(micros) };
    sendChange('CURRENT', [id], snapshot);
    sendChange('NO_CHANGE', [], snapshot);
    if (request.once) removeTarget(id);
  }

  function removeTarget(id: number): void {
    if (targets.delete(id)) sendChange('REMOVE', [id]);
  }

  function applyCommit(changes: readonly Change[]): void {
    const deltas = [...targets.values()]
      .map((target): [number, TargetDelta] => [target.id, target.apply(changes)])
      .filter(([, { shown, removed }]) => shown.length + removed.length > 0);
    if (deltas.length === 0) return;
    const micros = engine.readMicros();
    sendDeltas(deltas, micros);
    // Without target ids this closes the snapshot for all targets; clients show nothing before it.
    sendChange('NO_CHANGE', [], { resumeToken: resumeToken(), readTime: timestampFromMicros(micros) });
  }

  /** One message per document, naming every target that shows it or no longer does. */
  function sendDeltas(deltas: [number, TargetDelta][], micros: number): void {
    const changes = new Map<string, { targetIds: number[]; removedTargetIds: number[] }>();
    const changeOf = (name: string) => {
      const known = changes.get(name) ?? { targetIds: [], removedTargetIds: [] };
      changes.set(name, known);
      return known;
    };
    for (const [id, { shown, removed }] of deltas) {
      for (const name of removed) changeOf(name).removedTargetIds.push(id);
      for (const { name } of shown) changeOf(name).targetIds.push(id);
    }
    const readTime = timestampFromMicros(micros);
    for (const [name, { targetIds, removedTargetIds }] of changes) {
      const document = engine.store.read(name);
      if (document === undefined) send({ documentDelete: { document: name, removedTargetIds, readTime } });
      else if (targetIds.length === 0)
        send({ documentRemove: { document: name, removedTargetIds, readTime } });
      else send({ documentChange: { document: toMessage(document), targetIds, removedTargetIds } });
    }
  }

  function resumeToken(): Buffer {
    return Buffer.from(`${engine.store.epoch}:${engine.store.version()}`);
  }

  function readResumeToken(token: Buffer | undefined): number | undefined {
    const [epoch, version] = (token ?? Buffer.alloc(0)).toString().split(':');
    return epoch === engine.store.epoch && version !== undefined && /^\d+$/.test(version)
      ? Number(version)
      : undefined;
  }

  return {
    handle(request) {
      guard.checkDatabase(request.database);
      // A target starts with the present state: the others must not be behind it.
      applyDeferred();
      if (request.addTarget !== undefined) addTarget(request.addTarget);
      else if (request.removeTarget !== undefined) removeTarget(request.removeTarget);
    },
    onRelief: applyDeferred,
    close,
  };
}
