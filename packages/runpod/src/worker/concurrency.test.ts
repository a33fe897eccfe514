/** How many jobs run at a time, against a real local RunPod. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startLocalBench } from '../../testing/local-bench.ts';
import { eventually } from '../../testing/scripted-platform.ts';
import type { Job } from './index.ts';

test('grows while jobs run, and shrinks without waiting until all have ended', async () => {
  const { client, work } = await startLocalBench({ timings: { pollHoldMs: 200 } });
  let slots = 1;
  const running = new Map<number, () => void>();
  work(
    ({ input }: Job<number>) =>
      new Promise<number>((resolve) => {
        running.set(input, () => {
          running.delete(input);
          resolve(input);
        });
      }),
    { concurrencyModifier: () => slots },
  );
  for (let input = 1; input <= 5; input += 1) await client.run(input);
  const seen = () => [...running.keys()];
  await eventually(() => expect(seen()).toEqual([1]));
  slots = 3;
  await eventually(() => expect(seen()).toEqual([1, 2, 3]));
  slots = 2;
  running.get(1)?.();
  await sleep(300);
  expect(seen()).toEqual([2, 3]);
  running.get(2)?.();
  await eventually(() => expect(seen()).toEqual([3, 4]));
  for (const end of running.values()) end();
  await eventually(() => expect(seen()).toEqual([5]));
  running.get(5)?.();
});
