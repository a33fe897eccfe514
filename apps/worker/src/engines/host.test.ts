import type { ResolvedImageRequest } from '@firepod/contract';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { abortAtStep } from '../../testing/bare-engine.ts';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { EngineCrashedError } from '../errors.ts';
import type { EngineProgress } from './engine.ts';
import { type EngineHost, startEngineHost } from './host.ts';

const FIXTURE_PROGRAM = new URL('../../testing/fixture-engine-child.ts', import.meta.url);
const never = new AbortController().signal;

function request(prompt: string, steps = 3): ResolvedImageRequest {
  return {
    task_type: 'text2img',
    prompt,
    negative_prompt: null,
    width: 64,
    height: 32,
    num_images: 2,
    num_inference_steps: steps,
    guidance_scale: 3,
    scheduler: 'DDIM',
    seed: 2 ** 32 - 1,
    output_format: 'png',
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('an engine in a child process', () => {
  // One for all, because a process starts slowly; tests with settings of their own start another.
  const host = start();
  const others: EngineHost[] = [];
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
  });
  afterAll(() => host.close());

  function start(model = 'fixture', abortGraceMs = 5000): EngineHost {
    return startEngineHost({
      program: FIXTURE_PROGRAM,
      settings: { engine: 'onnx', model, executionProvider: 'cpu', threads: 1 },
      abortGraceMs,
      logger: createCollectingLogger(),
    });
  }

  function startOther(model?: string, abortGraceMs?: number): EngineHost {
    const other = start(model, abortGraceMs);
    others.push(other);
    return other;
  }

  it('describes its model and generates, with progress on the way', async () => {
    expect((await host.describe()).card.id).toBe('fixture');
    const progress: EngineProgress[] = [];
    const result = await host.generate(request('a fox'), {
      signal: never,
      onProgress: (at) => progress.push(at),
    });
    expect(progress.map(({ step, steps }) => `${step}/${steps}`)).toEqual(['1/3', '2/3', '3/3']);
    expect(result.seeds).toEqual([2 ** 32 - 1, 0]);
    expect(result.frames[0]).toMatchObject({ widthPx: 64, heightPx: 32 });
    expect(result.frames[0]?.rgb).toEqual(new Uint8Array(64 * 32 * 3).fill(255));
  });

  it('makes one generation after the other when asked for two at once', async () => {
    const order: string[] = [];
    await Promise.all(
      ['first', 'second'].map((name) =>
        host.generate(request(name), { signal: never, onProgress: () => order.push(name) }),
      ),
    );
    expect(order).toEqual(['first', 'first', 'first', 'second', 'second', 'second']);
  });

  it('stops between two steps, keeps its process, and generates again', async () => {
    await host.describe();
    const { pid } = host;
    const stop = new AbortController();
    const reason = new Error('cancelled');
    const steps: number[] = [];
    const generation = host.generate(request('a fox', 1000), {
      signal: stop.signal,
      onProgress({ step }) {
        steps.push(step);
        if (step === 2) stop.abort(reason);
      },
    });
    await expect(generation).rejects.toBe(reason);
    expect(steps).toEqual([1, 2]);
    await host.generate(request('a dog', 1), { signal: never, onProgress: () => {} });
    expect(host.pid).toBe(pid);
  });

  it('hears of an abort between two steps and makes no more of them', async () => {
    const settings = { engine: 'onnx', model: 'fixture', executionProvider: 'cpu', threads: 1 } as const;
    const { steps, ending } = await abortAtStep(FIXTURE_PROGRAM, settings, request('a fox', 1000), 2);
    expect(ending).toBe('stopped');
    expect(steps.length).toBeLessThan(1000);
  });

  it('kills a process that does not stop, and starts another', async () => {
    const stubborn = startOther('fixture', 100);
    await stubborn.describe();
    const { pid } = stubborn;
    const reason = new Error('cancelled');
    const generation = stubborn.generate(request('hangs'), {
      signal: AbortSignal.timeout(200),
      onProgress: () => {},
    });
    await expect(generation).rejects.toThrow(/timeout/);
    expect(isRunning(pid!)).toBe(false);
    await stubborn.generate(request('a dog', 1), { signal: never, onProgress: () => {} });
    expect(stubborn.pid).not.toBe(pid);
    await expect(
      stubborn.generate(request('a dog'), { signal: AbortSignal.abort(reason), onProgress: () => {} }),
    ).rejects.toBe(reason);
  });

  it('reports a crash in the middle and is ready for the next attempt', async () => {
    const generation = host.generate(request('a fox', 1000), {
      signal: never,
      onProgress: ({ step }) => step === 2 && process.kill(host.pid!, 'SIGKILL'),
    });
    const error = await generation.catch((thrown) => thrown);
    expect(error).toBeInstanceOf(EngineCrashedError);
    expect(error).toMatchObject({ code: 'engine_crashed', signal: 'SIGKILL', exitCode: null });
    const exited = host.generate(request('exits'), { signal: never, onProgress: () => {} });
    await expect(exited).rejects.toThrow('exit code 7');
    await host.generate(request('a fox', 1), { signal: never, onProgress: () => {} });
  });

  it('tells a lack of memory from other deaths', async () => {
    await expect(
      host.generate(request('fills memory'), { signal: never, onProgress: () => {} }),
    ).rejects.toMatchObject({ code: 'out_of_memory' });
  });

  it('passes on the words of an error that is meant for users, and keeps others for the log', async () => {
    const options = { signal: never, onProgress: () => {} };
    await expect(host.generate(request('refuses'), options)).rejects.toMatchObject({
      code: 'content_rejected',
      message: 'The fixture does not like this prompt.',
    });
    await expect(host.generate(request('breaks'), options)).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('/models'),
      cause: expect.objectContaining({ message: '/models/secret-path is broken' }),
    });
  });

  it('says why a model cannot be loaded, and leaves no process behind', async () => {
    const other = startOther('missing');
    await expect(other.describe()).rejects.toMatchObject({ code: 'model_not_available' });
    await other.close();
    expect(other.pid).toBeUndefined();
  });

  it('ends its process when it is closed', async () => {
    const other = startOther();
    await other.describe();
    const pid = other.pid!;
    await other.close();
    expect(isRunning(pid)).toBe(false);
  });
});
