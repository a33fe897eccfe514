import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createSdServerApi, type SdServerApi } from './api.ts';

let server: Server;
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function serve(listener: RequestListener, answerTimeoutMs = 60_000): Promise<SdServerApi> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return createSdServerApi(`http://127.0.0.1:${port}`, { answerTimeoutMs, longestAnswerBytes: 10_000 });
}

const never = new AbortController().signal;

describe("the server's API", () => {
  it('takes what it needs from an answer and minds nothing else, also a character cut between two packets', async () => {
    const answer = Buffer.from(
      JSON.stringify({
        status: 'failed',
        error: { code: 'x', message: 'größer' },
        result: null,
        queue_position: 0,
        new: 1,
      }),
    );
    const cut = answer.indexOf('ö') + 1;
    const api = await serve((_, response) => {
      response.write(answer.subarray(0, cut));
      setTimeout(() => response.end(answer.subarray(cut)), 20);
    });
    expect(await api.job('job_1', never)).toEqual({
      status: 'failed',
      error: { code: 'x', message: 'größer' },
      result: null,
    });
  });

  it.each([
    [
      'says what a refusal says',
      (_, response) => response.writeHead(410).end('{"error":"job expired"}'),
      410,
      /job expired/,
    ],
    ['refuses what is no JSON', (_, response) => response.end('<html>'), 0, /something else/],
    [
      'refuses JSON of another shape',
      (_, response) => response.end('{"status":"paused"}'),
      0,
      /something else/,
    ],
    [
      'gives up on an answer without end',
      (_, response) => response.end('x'.repeat(20_000)),
      0,
      /longer than 10000/,
    ],
    [
      'follows no redirect',
      (_, response) => response.writeHead(302, { location: '/' }).end(),
      0,
      /could not be asked/,
    ],
    ['says when nobody is there', (request) => request.socket.destroy(), 0, /could not be asked/],
  ] satisfies [string, RequestListener, number, RegExp][])('%s', async (_, listener, status, message) => {
    const api = await serve(listener);
    await expect(api.job('job_1', never)).rejects.toMatchObject({
      name: 'SdServerAnswerError',
      status,
      message: expect.stringMatching(message),
    });
  });

  it('gives up on an answer that does not come', async () => {
    const api = await serve(() => {}, 300);
    await expect(api.job('job_1', never)).rejects.toThrow('jobs/job_1 did not answer within 300 ms.');
  });

  it('stops waiting with the reason of the signal', async () => {
    const stop = new AbortController();
    const api = await serve(() => stop.abort(new Error('enough')));
    await expect(api.submit('img_gen', {}, stop.signal)).rejects.toThrow('enough');
  });
});
