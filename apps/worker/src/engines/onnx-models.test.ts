import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ResolvedRequest } from '@firepod/contract';
import { afterAll, expect, it } from 'vitest';
import { createOnnxModels } from './onnx-models.ts';

const SHIPPED = fileURLToPath(new URL('../../../../models/tiny-sdxl', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'firepod-models-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the shipped model whose card promises other tasks. */
function modelWith(id: string, tasks: string[]): string {
  const copy = join(folder, id);
  cpSync(SHIPPED, copy, { recursive: true });
  const card = JSON.parse(readFileSync(join(copy, 'model_card.json'), 'utf8'));
  writeFileSync(join(copy, 'model_card.json'), JSON.stringify({ ...card, id, tasks }));
  return copy;
}

const request: ResolvedRequest = {
  task_type: 'text2img',
  prompt: 'a red apple',
  negative_prompt: null,
  width: 64,
  height: 64,
  num_images: 1,
  num_inference_steps: 1,
  guidance_scale: 1,
  scheduler: 'DDIM',
  seed: 7,
  output_format: 'png',
};
const options = {
  signal: new AbortController().signal,
  onProgress: () => {},
  sources: {
    image: { data: new Uint8Array(64 * 64 * 3).fill(90), width: 64, height: 64, channels: 3 as const },
  },
};

it('a second model makes what the first does not, is loaded when it is needed, and may be mended meanwhile', async () => {
  const [one, two] = [modelWith('one', ['text2img']), modelWith('two', ['text2img', 'img2img'])];
  const index = join(two, 'model_index.json');
  const whole = readFileSync(index);
  writeFileSync(index, '{}');
  const settings = { engine: 'onnx', model: one, executionProvider: 'cpu', threads: 1 } as const;
  const engine = await createOnnxModels({ ...settings, furtherModels: [two] });

  const { card, modelSha256, others = [] } = await engine.describe();
  expect([card.id, ...others.map((other) => other.card.id)]).toEqual(['one', 'two']);
  expect(others[0]!.modelSha256).not.toBe(modelSha256);
  expect((await engine.generate(request, options)).frames).toHaveLength(1);

  const img2img: ResolvedRequest = { ...request, task_type: 'img2img', strength: 1, image_url: 'data:' };
  await expect(engine.generate(img2img, options)).rejects.toMatchObject({ code: 'model_not_available' });
  writeFileSync(index, whole);
  expect((await engine.generate(img2img, options)).frames).toHaveLength(1);
  await engine.close();
});
