/** WebChannel by hand: what the network can do to it that a healthy browser never does. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rulesWith, startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

/** Long enough for a busy machine: waiting ends as soon as it may. */
const SOON = { timeout: 10_000, interval: 10 };

let server: TemporaryServer;
let database: string;

beforeAll(async () => {
  server = await startTemporaryServer({
    rules: rulesWith('match /open/{rest=**} { allow read, write; }'),
  });
  database = `projects/${server.projectId}/databases/(default)`;
});
afterAll(async () => {
  await server.close();
});

type Frame = unknown[];

/** Splits `<length>\n<json>` frames; the length counts UTF-16 units. */
function parseFrames(text: string): Frame[] {
  const frames: Frame[] = [];
  for (let rest = text; rest !== ''; ) {
    const newline = rest.indexOf('\n');
    const length = Number(rest.slice(0, newline));
    if (newline === -1 || rest.length < newline + 1 + length) break;
    frames.push(JSON.parse(rest.slice(newline + 1, newline + 1 + length)));
    rest = rest.slice(newline + 1 + length);
  }
  return frames;
}

class Channel {
  readonly method: 'Listen' | 'Write';
  id = '';
  nextMap = 0;

  constructor(method: 'Listen' | 'Write') {
    this.method = method;
  }

  url(parameters: Record<string, string>): string {
    const query = new URLSearchParams({ VER: '8', database, ...parameters });
    return `http://${server.host}:${server.port}/google.firestore.v1.Firestore/${this.method}/channel?${query}`;
  }

  async open(first: object): Promise<Frame> {
    const body = new URLSearchParams({
      headers: 'X-Goog-Api-Client:test\r\nContent-Type:text/plain\r\n',
      count: '1',
      ofs: '0',
      req0___data__: JSON.stringify(first),
    });
    this.nextMap = 1;
    const response = await fetch(this.url({ RID: '1', CVER: '22', t: '1' }), { method: 'POST', body });
    const [frame] = parseFrames(await response.text());
    this.id = ((frame as [[number, string[]]])[0][1] as string[])[1]!;
    return frame!;
  }

  /** Sends maps with given ids, which need not be the next ones. */
  async post(firstMap: number, messages: object[]): Promise<{ status: number; text: string }> {
    const form = new URLSearchParams({ count: String(messages.length), ofs: String(firstMap) });
    for (const [index, message] of messages.entries())
      form.set(`req${index}___data__`, JSON.stringify(message));
    const response = await fetch(this.url({ SID: this.id, RID: '2', AID: '0' }), {
      method: 'POST',
      body: form,
    });
    return { status: response.status, text: await response.text() };
  }

  /** Opens a back channel; `arrays` grows as frames come in. */
  async listen(acknowledged: number, isStreaming = true): Promise<BackChannel> {
    const parameters = {
      SID: this.id,
      RID: 'rpc',
      AID: String(acknowledged),
      CI: isStreaming ? '0' : '1',
      TYPE: 'xmlhttp',
    };
    const outgoing = httpRequest(this.url(parameters), { agent: false });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve).on('error', reject).end();
    });
    const back: BackChannel = { arrays: [], isEnded: false, cut: () => outgoing.destroy() };
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      back.arrays = parseFrames(text).flat() as [number, unknown][];
    });
    response.on('end', () => {
      back.isEnded = true;
    });
    response.on('error', () => {
      back.isEnded = true;
    });
    return back;
  }
}

type BackChannel = { arrays: [number, unknown][]; isEnded: boolean; cut(): void };

const addTarget = (collection: string) => ({
  database,
  addTarget: {
    targetId: 2,
    query: { parent: `${database}/documents`, structuredQuery: { from: [{ collectionId: collection }] } },
  },
});
const write = (path: string, n: number) => ({
  streamToken: '',
  writes: [{ update: { name: `${database}/documents/${path}`, fields: { n: { integerValue: n } } } }],
});
// biome-ignore lint/suspicious/noExplicitAny: messages of many shapes, looked at by the assertions.
const messagesOf = (back: BackChannel): any[] => back.arrays.map(([, payload]) => (payload as unknown[])[0]);

async function read(path: string): Promise<number | undefined> {
  const response = await fetch(`http://${server.host}:${server.port}/v1/${database}/documents/${path}`);
  const json = (await response.json()) as { fields?: { n: { integerValue: string } } };
  return json.fields === undefined ? undefined : Number(json.fields.n.integerValue);
}

describe('the channel', () => {
  test('announces itself as array 0, sends the first bytes at once, and numbers what follows without a gap', async () => {
    const channel = new Channel('Listen');
    expect(await channel.open(addTarget('open'))).toEqual([[0, ['c', channel.id, '', 8, 14, 30_000]]]);
    const back = await channel.listen(0);
    await expect
      .poll(
        () => messagesOf(back).some((message) => message.targetChange?.targetChangeType === 'CURRENT'),
        SOON,
      )
      .toBe(true);
    expect(back.arrays.map(([id]) => id)).toEqual(back.arrays.map((_, index) => index + 1));
    back.cut();
  });

  test('a back channel with nothing to say says noop, so that streaming is not taken for buffered', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    const first = await channel.listen(0);
    await expect.poll(() => first.arrays.length, SOON).toBe(1);
    const second = await channel.listen(1);
    await expect.poll(() => messagesOf(second), SOON).toEqual(['noop']);
    second.cut();
  });

  test('long polling ends each response after one batch and waits while there is none', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    const first = await channel.listen(0, false);
    await expect.poll(() => first.isEnded, SOON).toBe(true);
    const last = first.arrays.at(-1)![0];
    const second = await channel.listen(last, false);
    expect(second.isEnded).toBe(false);
    await channel.post(1, [write('open/polled', 1)]);
    await expect.poll(() => second.isEnded, SOON).toBe(true);
    expect(messagesOf(second)[0]).toMatchObject({ writeResults: [{}] });
  });

  test('what was not acknowledged is sent again after the connection is lost in the middle', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    const first = await channel.listen(0);
    await expect.poll(() => first.arrays.length, SOON).toBe(1);
    await channel.post(1, [write('open/again', 1)]);
    await expect.poll(() => first.arrays.length, SOON).toBe(2);
    first.cut();
    await channel.post(2, [write('open/again', 2)]);
    const second = await channel.listen(1);
    await expect.poll(() => second.arrays.map(([id]) => id), SOON).toEqual([2, 3]);
    expect(messagesOf(second).every((message) => message.writeResults.length === 1)).toBe(true);
    second.cut();
  });

  test('maps that are repeated are done once, and maps that come early wait for their turn', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    const transform = {
      document: `${database}/documents/open/counter`,
      fieldTransforms: [{ fieldPath: 'n', increment: { integerValue: 1 } }],
    };
    const increment = { streamToken: '', writes: [{ transform }] };
    await channel.post(1, [increment]);
    await channel.post(1, [increment]);
    expect(await read('open/counter')).toBe(1);
    await channel.post(3, [write('open/counter', 100)]);
    expect(await read('open/counter')).toBe(1);
    await channel.post(2, [increment]);
    expect(await read('open/counter')).toBe(100);
  });

  test('a forward request is told whether there is a back channel and what was sent', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    const [without] = parseFrames((await channel.post(1, [])).text);
    expect(without!.slice(0, 2)).toEqual([0, 1]);
    const back = await channel.listen(0);
    const [withBack] = parseFrames((await channel.post(1, [])).text);
    expect(withBack).toEqual([1, 1, 0]);
    back.cut();
  });

  test('an error is delivered even if no back channel is open when it happens', async () => {
    const channel = new Channel('Write');
    await channel.open({ database });
    await channel.post(1, [write('closed/a', 1)]);
    const back = await channel.listen(0);
    await expect.poll(() => back.isEnded, SOON).toBe(true);
    expect(messagesOf(back).at(-1)).toMatchObject({ error: { code: 403, status: 'PERMISSION_DENIED' } });
    expect((await channel.post(2, [])).status).toBe(400);
  });

  test('a terminated or unknown channel answers 400 with the words that the client looks for', async () => {
    const channel = new Channel('Listen');
    await channel.open(addTarget('open'));
    await fetch(channel.url({ SID: channel.id, RID: '3', TYPE: 'terminate' }), { method: 'POST', body: '' });
    const { status, text } = await channel.post(1, []);
    expect(status).toBe(400);
    expect(text.indexOf('Unknown SID')).toBeGreaterThan(0);
  });

  test('much data rotates the back channel instead of piling up', async () => {
    const channel = new Channel('Listen');
    await channel.open(addTarget('open'));
    const back = await channel.listen(0);
    await expect.poll(() => back.arrays.length, SOON).toBeGreaterThan(2);
    const pad = 'x'.repeat(600_000);
    for (const id of ['large1', 'large2', 'large3']) {
      await fetch(`http://${server.host}:${server.port}/v1/${database}/documents/open/${id}`, {
        method: 'PATCH',
        body: JSON.stringify({ fields: { pad: { stringValue: pad } } }),
      });
    }
    await expect.poll(() => back.isEnded, SOON).toBe(true);
    const last = back.arrays.at(-1)![0];
    const next = await channel.listen(last);
    await expect.poll(() => next.arrays.length, SOON).toBeGreaterThan(0);
    expect(next.arrays[0]![0]).toBe(last + 1);
    next.cut();
  });
});

describe('nonsense', () => {
  test.each(['count=5&ofs=0', 'count=many', 'count=1&ofs=-1&req0___data__={}'])(
    'a forward request that says %j is refused, and the channel lives on',
    async (body) => {
      const channel = new Channel('Write');
      await channel.open({ database });
      const response = await fetch(channel.url({ SID: channel.id, RID: '2' }), { method: 'POST', body });
      expect(response.status).toBe(400);
      expect((await channel.post(1, [])).status).toBe(200);
    },
  );

  test('a first message that is not JSON ends the channel with an error, not the server', async () => {
    const channel = new Channel('Listen');
    const body = new URLSearchParams({ count: '1', ofs: '0', req0___data__: '{"database"' });
    const response = await fetch(channel.url({ RID: '1', CVER: '22' }), { method: 'POST', body });
    const [frame] = parseFrames(await response.text()) as [[[number, string[]]]];
    channel.id = frame[0][1][1]!;
    const back = await channel.listen(0);
    await expect.poll(() => messagesOf(back).at(-1)?.error?.status, SOON).toBe('INVALID_ARGUMENT');
  });

  test('another wire version and other paths are refused', async () => {
    const url = (path: string, version: string) =>
      `http://${server.host}:${server.port}${path}?VER=${version}&RID=1`;
    const listen = '/google.firestore.v1.Firestore/Listen/channel';
    expect((await fetch(url(listen, '9'), { method: 'POST', body: 'count=0' })).status).toBe(400);
    expect(
      (await fetch(url('/google.firestore.v1.Firestore/Other/channel', '8'), { method: 'POST' })).status,
    ).toBe(404);
  });

  test('connections that break, stall or speak something else do not disturb the server', async () => {
    const attempts = ['', 'PRI * HT', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish', 'rubbish\r\n\r\n', '\0\0\0'];
    const sockets = attempts.map((text) => {
      const socket = connect(server.port, server.host);
      socket.on('error', () => {});
      if (text !== '') socket.write(text);
      return socket;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const socket of sockets) socket.destroy();
    expect((await fetch(`http://${server.host}:${server.port}/`)).status).toBe(200);
  });
});
