import { describe, expect, it } from 'vitest';
import type { ModelServer } from './model-server.ts';
import { createVramBudget } from './vram-budget.ts';

/** Three models of 6, 8 and 10 GiB; using one starts it. */
function createModels(budgetGib: number | null) {
  const running = new Set<number>();
  const models = [6, 8, 10].map((vramGib) => ({
    vramGib,
    server: {
      get isRunning() {
        return running.has(vramGib);
      },
      stop: async () => void running.delete(vramGib),
    } as ModelServer,
  }));
  const budget = createVramBudget(models, budgetGib);
  return async (vramGib: number) => {
    await budget.makeRoomFor(models.find((each) => each.vramGib === vramGib)!);
    running.add(vramGib);
    return [...running].sort((one, other) => one - other);
  };
}

describe('the memory of a GPU', () => {
  it('has one server at a time where nothing is said', async () => {
    const use = createModels(null);
    expect(await use(6)).toEqual([6]);
    expect(await use(8)).toEqual([8]);
    expect(await use(8)).toEqual([8]);
  });

  it('has as many as fit, and the least recently used makes room', async () => {
    const use = createModels(16);
    await use(6);
    expect(await use(8)).toEqual([6, 8]);
    await use(6);
    expect(await use(10)).toEqual([6, 10]);
    expect(await use(8)).toEqual([8]);
  });

  it('goes to a model alone that needs more than all of it', async () => {
    const use = createModels(9);
    await use(6);
    expect(await use(10)).toEqual([10]);
  });
});
