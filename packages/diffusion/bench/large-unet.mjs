/**
 * One step through a UNet of SDXL's full size, with its time and memory: the proof that external data above 2 GB loads and runs.
 *
 *     python -m models.export.large_unet /tmp/large && npx tsc -b packages/diffusion
 *     node packages/diffusion/bench/large-unet.mjs /tmp/large [side in pixels]
 */

import { readFileSync } from 'node:fs';
import { loadStableDiffusionXl } from '../dist/index.js';

const [folder, side = '256'] = process.argv.slice(2);

/** Memory of this process in GiB: in all, of its own, and mapped from files (which the kernel may drop and read again). */
function memory() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const gib = (name) =>
    (Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1]) / 2 ** 20).toFixed(2);
  return { peak: gib('VmHWM'), now: gib('VmRSS'), own: gib('RssAnon'), mapped: gib('RssFile') };
}

function tell(what, startedAt) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${what}: ${seconds} s, GiB ${JSON.stringify(memory())}\n`);
}

let startedAt = performance.now();
const model = await loadStableDiffusionXl({ folder, threads: 2 });
tell('loaded', startedAt);

startedAt = performance.now();
await model.textToImage({
  prompt: 'a red apple on a blue background',
  negativePrompt: null,
  width: Number(side),
  height: Number(side),
  numInferenceSteps: 2,
  guidanceScale: 1,
  scheduler: 'K_EULER',
  seeds: [7],
  onProgress({ phase, step, durationMs, sample }) {
    if (phase !== 'denoise') return;
    const largest = sample.reduce((maximum, value) => Math.max(maximum, Math.abs(value)), 0);
    if (!Number.isFinite(largest)) throw new Error('The latents are not finite.');
    process.stdout.write(
      `step ${step}: ${(durationMs / 1000).toFixed(1)} s, largest latent ${largest.toFixed(2)}\n`,
    );
  },
});
tell('painted', startedAt);

startedAt = performance.now();
await model.dispose();
globalThis.gc?.();
tell('disposed', startedAt);
