/**
 * Makes clips with @firepod/diffusion as test_wan_export.py asks, for its comparison with diffusers:
 * node wan-clips.mjs FOLDER REQUESTS OUT. Of request n, OUT gets `n.latents` (float32, every step) and `n.frames` (RGB bytes).
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelCardSchema } from '../../packages/contract/dist/index.js';
import { loadWan } from '../../packages/diffusion/dist/index.js';

const [folder, requests, out] = process.argv.slice(2);
modelCardSchema.parse(JSON.parse(readFileSync(join(folder, 'model_card.json'), 'utf8')));
const wan = await loadWan({ folder, threads: 1 });
for (const [index, request] of JSON.parse(readFileSync(requests, 'utf8')).entries()) {
  const latents = join(out, `${index}.latents`);
  writeFileSync(latents, '');
  const { frames } = await wan.textToVideo({
    ...request,
    onProgress: ({ sample }) =>
      sample && appendFileSync(latents, Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength)),
  });
  writeFileSync(join(out, `${index}.frames`), Buffer.concat(frames.map(({ data }) => data)));
}
await wan.dispose();
