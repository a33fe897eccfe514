import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadStableDiffusionXl } from './stable-diffusion-xl.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', 'models', 'tiny-sdxl');
const MIB = 2 ** 20;

it('frees a model on dispose: loading it again and again takes no more memory than once', async () => {
  async function loadAndDispose(): Promise<number> {
    const model = await loadStableDiffusionXl({ folder: FOLDER, threads: 1 });
    const loadedBytes = process.memoryUsage.rss();
    await model.dispose();
    return loadedBytes;
  }
  const before = process.memoryUsage.rss();
  const first = await loadAndDispose();
  const modelBytes = first - before;
  let last = first;
  for (let round = 0; round < 2; round++) last = await loadAndDispose();
  if (process.env['PRINT_PARITY']) {
    process.stdout.write(
      `RSS MiB: ${[before, first, last].map((bytes) => Math.round(bytes / MIB)).join(', ')}\n`,
    );
  }
  // A model takes over 100 MiB; were its sessions kept, the third would come on top of two others.
  expect(modelBytes).toBeGreaterThan(50 * MIB);
  expect(last - first).toBeLessThan(1.5 * modelBytes);
}, 60_000);
