import { FirepodError } from '@firepod/client';
import { isRequestId } from '@firepod/contract';
import { expect, test } from 'vitest';
import { type RequestMemory, submitOnce } from './request-id.ts';

/** A function that fails with each of the codes in turn, and notes the ids that it was called with. */
function scripted(...codes: (ConstructorParameters<typeof FirepodError>[0] | null)[]) {
  const ids: string[] = [];
  const submit = async (_request: unknown, { requestId }: { requestId: string }) => {
    const code = codes[ids.length] ?? null;
    ids.push(requestId);
    if (code !== null) throw new FirepodError(code);
  };
  return { ids, submit };
}

async function sendAll(requests: unknown[], submit: ReturnType<typeof scripted>['submit']) {
  const memory: RequestMemory = {};
  for (const request of requests) await submitOnce(memory, request, submit).catch(() => undefined);
}

test('every request has an id of its own that the function accepts, even when it is the same request', async () => {
  const { ids, submit } = scripted();
  await sendAll(['a cat', 'a cat'], submit);
  expect(ids.every(isRequestId)).toBe(true);
  expect(new Set(ids).size).toBe(2);
});

test('a request whose answer was lost keeps its id until it is answered', async () => {
  const { ids, submit } = scripted('unavailable', 'unavailable', null, null);
  await sendAll(['a cat', 'a cat', 'a cat', 'a cat'], submit);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).toBe(ids[0]);
  expect(ids[3]).not.toBe(ids[0]);
});

test('another request after a lost answer, and the same after a refusal, get new ids', async () => {
  const lost = scripted('unavailable', null);
  await sendAll(['a cat', 'a dog'], lost.submit);
  expect(lost.ids[1]).not.toBe(lost.ids[0]);
  const refused = scripted('dispatch_failed', null);
  await sendAll(['a cat', 'a cat'], refused.submit);
  expect(refused.ids[1]).not.toBe(refused.ids[0]);
});
