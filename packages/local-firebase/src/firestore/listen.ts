/** One Listen stream: many targets, and after each commit one consistent snapshot across them. */
import type { Change } from './engine.ts';
import type { Caller } from './identity.ts';
import type { ListenRequest, ListenResponse, Target, TargetChange } from './messages.ts';
import { type Service, toStatusError } from './service.ts';
import { STATUS_NUMBERS } from './status.ts';
import { toMessage } from './stored-document.ts';
import { type ActiveTarget, createTarget, type TargetDelta } from './target.ts';
import { timestampFromMicros } from './timestamp.ts';

/** What a transport does with a stream: hand in requests in order, and close it when the client is gone. */
export type StreamSession<Request> = { handle(request: Request): void | Promise<void>; close(): void };

/** @param send Called with each response, in order; must not throw. */
export function createListenSession(
  service: Service,
  caller: Caller,
  send: (response: ListenResponse) => void,
): StreamSession<ListenRequest> {
  const { engine, guard } = service;
  const targets = new Map<number, ActiveTarget>();
  const unsubscribe = engine.subscribe(applyCommit);

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

  function applyCommit(changes: readonly Change[], commitMicros: number): void {
    const deltas = [...targets.values()]
      .map((target): [number, TargetDelta] => [target.id, target.apply(changes)])
      .filter(([, { shown, removed }]) => shown.length + removed.length > 0);
    if (deltas.length === 0) return;
    sendDeltas(deltas, commitMicros);
    // Without target ids this closes the snapshot for all targets; clients show nothing before it.
    sendChange('NO_CHANGE', [], { resumeToken: resumeToken(), readTime: timestampFromMicros(commitMicros) });
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
      if (request.addTarget !== undefined) addTarget(request.addTarget);
      else if (request.removeTarget !== undefined) removeTarget(request.removeTarget);
    },
    close() {
      unsubscribe();
      targets.clear();
    },
  };
}
