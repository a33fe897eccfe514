/** What a Listen stream sends, message by message: order, resume tokens, resets, refusals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import type { Engine } from './engine.ts';
import { createListenSession, type StreamSession } from './listen.ts';
import type {
  ListenRequest,
  ListenResponse,
  StructuredQuery,
  Target,
  TargetChange,
  Timestamp,
} from './messages.ts';
import { createService, type Service } from './service.ts';
import type { StatusError } from './status.ts';
import { openStore, type Store } from './store.ts';
import { compareTimestamps } from './timestamp.ts';

const documents = 'projects/p/databases/(default)/documents';

let folder: string;
let store: Store;
let service: Service;
let engine: Engine;
let sent: ListenResponse[];
let session: StreamSession<ListenRequest>;
let isCongested = false;
let failure: StatusError | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'listen-'));
  open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function open(): void {
  store = openStore(join(folder, 'firestore.db'));
  service = createService({ projectId: 'p', store, clock: Date.now, logger: silentLogger });
  engine = service.engine;
  session = newSession();
}

function newSession(): StreamSession<ListenRequest> {
  sent = [];
  isCongested = false;
  failure = undefined;
  return createListenSession(
    service,
    { kind: 'admin' },
    {
      send: (response) => sent.push(response),
      isCongested: () => isCongested,
      fail: (error) => {
        failure = error;
      },
    },
  );
}

/** Commits at once: nothing is locked. */
const set = (path: string, n: number): void =>
  void engine.commit([
    { update: { name: `${documents}/${path}`, fields: { n: { integerValue: String(n) } } } },
  ]);
const remove = (path: string): void => void engine.commit([{ delete: `${documents}/${path}` }]);

function listen(targetId: number, query: StructuredQuery, more: Partial<Target> = {}): void {
  sent = [];
  const target = { targetId, query: { parent: documents, structuredQuery: query }, ...more };
  void session.handle({ database: 'projects/p/databases/(default)', addTarget: target });
}
const things: StructuredQuery = { from: [{ collectionId: 'things' }] };

/** The messages in short: "ADD 1", "show a 1,2", "hide a 2", "gone a 1". */
function transcript(): string[] {
  const short = (name: string) => name.slice(documents.length + 'things/'.length + 1);
  return sent.map((response) => {
    if ('targetChange' in response) {
      const { targetChangeType, targetIds = [] } = response.targetChange;
      return `${targetChangeType} ${targetIds}`.trim();
    }
    if ('documentChange' in response) {
      const { document, targetIds = [], removedTargetIds = [] } = response.documentChange;
      return `show ${short(document.name)} ${targetIds}${removedTargetIds.length > 0 ? ` not ${removedTargetIds}` : ''}`;
    }
    if ('documentRemove' in response)
      return `hide ${short(response.documentRemove.document)} ${response.documentRemove.removedTargetIds}`;
    if ('documentDelete' in response)
      return `gone ${short(response.documentDelete.document)} ${response.documentDelete.removedTargetIds}`;
    return `count ${response.filter.count}`;
  });
}

const lastChange = (): TargetChange => (sent.at(-1) as { targetChange: TargetChange }).targetChange;
const tokenNow = () => lastChange().resumeToken!;

test('a target is added, filled, made current, and only then the snapshot closes for all', () => {
  set('things/a', 1);
  listen(1, things);
  expect(transcript()).toEqual(['ADD 1', 'show a 1', 'CURRENT 1', 'NO_CHANGE']);
  expect(lastChange()).toMatchObject({
    targetIds: [],
    resumeToken: expect.any(Buffer),
    readTime: expect.anything(),
  });
});

test('one commit is one snapshot, with one message for each document and all its targets', () => {
  listen(1, things);
  listen(2, {
    ...things,
    where: { fieldFilter: { field: { fieldPath: 'n' }, op: 'GREATER_THAN', value: { integerValue: '5' } } },
  });
  sent = [];
  void engine.commit(
    [
      ['a', '9'],
      ['b', '1'],
    ].map(([id, n]) => ({
      update: { name: `${documents}/things/${id}`, fields: { n: { integerValue: n! } } },
    })),
  );
  expect(transcript()).toEqual(['show a 1,2', 'show b 1', 'NO_CHANGE']);
  sent = [];
  set('things/a', 2);
  expect(transcript()).toEqual(['show a 1 not 2', 'NO_CHANGE']);
  sent = [];
  remove('things/a');
  expect(transcript()).toEqual(['gone a 1', 'NO_CHANGE']);
});

test('a write that changes nothing, and one outside every target, send nothing', () => {
  set('things/a', 1);
  listen(1, things);
  sent = [];
  set('things/a', 1);
  set('others/a', 1);
  set('things/a/things/nested', 1);
  expect(transcript()).toEqual([]);
});

test('read times never go backwards, whatever the clock does', () => {
  store.close();
  const times = [2000, 1000, 500, 3000, 100, 100, 100];
  store = openStore(join(folder, 'firestore.db'));
  const clock = () => times.shift() ?? 50;
  service = createService({ projectId: 'p', store, clock, logger: silentLogger });
  engine = service.engine;
  session = newSession();
  listen(1, things);
  for (let n = 0; n < 5; n++) set('things/a', n);
  const seen = sent
    .flatMap((response) =>
      'targetChange' in response && response.targetChange.readTime ? [response.targetChange.readTime] : [],
    )
    .map(({ seconds = '0', nanos = 0 }) => Number(seconds) * 1e9 + nanos);
  expect(seen.length).toBeGreaterThan(5);
  expect(seen).toEqual(seen.toSorted((left, right) => left - right));
});

test('a snapshot is later than the writes that it shows, and earlier than those that follow', async () => {
  const commit = async (n: string) => {
    const update = { name: `${documents}/things/a`, fields: { n: { integerValue: n } } };
    return (await engine.commit([{ update }])).commitTime;
  };
  const times: Timestamp[] = [];
  times.push(await commit('1'));
  listen(1, things);
  times.push(lastChange().readTime!);
  for (const n of ['2', '3', '4']) times.push(await commit(n), lastChange().readTime!);
  for (const [index, time] of times.slice(1).entries())
    expect(compareTimestamps(times[index]!, time)).toBe(-1);
});

test('removing a target is confirmed, and it hears no more', () => {
  listen(1, things);
  sent = [];
  void session.handle({ database: 'projects/p/databases/(default)', removeTarget: 1 });
  set('things/a', 1);
  expect(transcript()).toEqual(['REMOVE 1']);
});

test('a refused target ends with its cause and leaves the others alone', () => {
  listen(1, things);
  listen(2, { from: [{ collectionId: '__reserved__' }] });
  expect(transcript()).toEqual(['ADD 2', 'REMOVE 2']);
  expect(lastChange().cause).toMatchObject({ code: 3, message: expect.stringContaining('reserved') });
  sent = [];
  set('things/a', 1);
  expect(transcript()).toEqual(['show a 1', 'NO_CHANGE']);
});

test('a document target tells of a missing document and of its coming', () => {
  const name = `${documents}/things/a`;
  void session.handle({
    database: 'projects/p/databases/(default)',
    addTarget: { targetId: 3, documents: { documents: [name] } },
  });
  expect(transcript()).toEqual(['ADD 3', 'gone a 3', 'CURRENT 3', 'NO_CHANGE']);
  sent = [];
  set('things/a', 1);
  expect(transcript()).toEqual(['show a 3', 'NO_CHANGE']);
});

test('a window is recomputed: what leaves it is hidden, not gone', () => {
  for (const [id, n] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const)
    set(`things/${id}`, n);
  listen(1, { ...things, orderBy: [{ field: { fieldPath: 'n' } }], limit: { value: 2 } });
  expect(transcript()).toEqual(['ADD 1', 'show a 1', 'show b 1', 'CURRENT 1', 'NO_CHANGE']);
  sent = [];
  set('things/d', 0);
  expect(transcript()).toEqual(['hide b 1', 'show d 1', 'NO_CHANGE']);
});

describe('resuming', () => {
  test('sends what changed since and nothing else', () => {
    for (const id of ['a', 'b', 'c']) set(`things/${id}`, 1);
    listen(1, things);
    const resumeToken = tokenNow();
    session.close();
    set('things/a', 2);
    remove('things/b');
    set('others/x', 1);
    session = newSession();
    listen(1, things, { resumeToken, expectedCount: { value: 3 } });
    expect(transcript().toSorted()).toEqual([
      'ADD 1',
      'CURRENT 1',
      'NO_CHANGE',
      'count 2',
      'gone b 1',
      'show a 1',
    ]);
  });

  test('works across a restart of the server', () => {
    set('things/a', 1);
    set('things/b', 1);
    listen(1, things);
    const resumeToken = tokenNow();
    store.close();
    open();
    set('things/b', 2);
    listen(1, things, { resumeToken });
    expect(transcript()).toEqual(['ADD 1', 'show b 1', 'CURRENT 1', 'NO_CHANGE']);
  });

  test('starts over with a RESET for tokens of a lost future, of another store, and for windows', () => {
    set('things/a', 1);
    listen(1, things);
    const [epoch, version] = tokenNow().toString().split(':');
    // A commit that a power cut took away: its version was given out and never reached the disk.
    const lost = Buffer.from(`${epoch}:${Number(version) + 3}`);
    store.close();
    open();
    set('things/b', 1);
    const reset = ['ADD 1', 'RESET 1', 'show a 1', 'show b 1', 'CURRENT 1', 'NO_CHANGE'];
    for (const resumeToken of [
      lost,
      Buffer.from(`other:${version}`),
      Buffer.from('nonsense'),
      Buffer.from(`${epoch}:`),
    ]) {
      session = newSession();
      listen(1, things, { resumeToken });
      expect(transcript()).toEqual(reset);
    }
    session = newSession();
    listen(1, { ...things, limit: { value: 9 } }, { resumeToken: tokenOf(epoch!, version!) });
    expect(transcript()).toEqual(reset);
  });

  test('starts over when more was deleted since than is remembered', () => {
    listen(1, things);
    const resumeToken = tokenNow();
    const names = Array.from({ length: 10_001 }, (_, n) => `${documents}/many/d${n}`);
    void engine.commit(names.map((name) => ({ update: { name, fields: {} } })));
    void engine.commit(names.map((name) => ({ delete: name })));
    store.close();
    open();
    listen(1, things, { resumeToken });
    expect(transcript()).toEqual(['ADD 1', 'RESET 1', 'CURRENT 1', 'NO_CHANGE']);
  });

  const tokenOf = (epoch: string, version: string) => Buffer.from(`${epoch}:${version}`);
});

describe('a client that reads slowly', () => {
  const ends: StructuredQuery = { ...things, orderBy: [{ field: { fieldPath: 'n' } }], limit: { value: 2 } };

  test('hears the newest state once it has caught up, in one snapshot, and nothing that came and went', () => {
    for (const [id, n] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const)
      set(`things/${id}`, n);
    listen(1, things);
    listen(2, ends);
    sent = [];
    isCongested = true;
    for (let n = 10; n < 20; n++) set('things/a', n);
    set('things/passing', 0);
    remove('things/passing');
    remove('things/b');
    expect(sent).toEqual([]);
    isCongested = false;
    session.onRelief();
    expect(transcript().sort()).toEqual(['NO_CHANGE', 'gone b 1,2', 'show a 1,2', 'show c 2'].sort());
    sent = [];
    session.onRelief();
    set('things/a', 30);
    expect(transcript()).toEqual(['show a 1,2', 'NO_CHANGE']);
  });

  test('starts a new target from the state that its other targets are brought to', () => {
    set('things/a', 1);
    listen(1, things);
    isCongested = true;
    set('things/a', 2);
    listen(2, ends);
    expect(transcript()).toEqual(['show a 1', 'NO_CHANGE', 'ADD 2', 'show a 2', 'CURRENT 2', 'NO_CHANGE']);
  });

  test('loses its stream when too much has changed meanwhile, with an error that makes it resume', async () => {
    listen(1, things);
    isCongested = true;
    for (let batch = 0; batch < 11; batch++) {
      await engine.commit(
        Array.from({ length: 1000 }, (_, index) => ({
          update: { name: `${documents}/things/${batch}-${index}`, fields: {} },
        })),
      );
    }
    expect(failure).toMatchObject({ status: 'UNAVAILABLE' });
  });
});
