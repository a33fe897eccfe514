/** Img2img and inpaint with the shipped model, from a user's upload to the picture: through every part of the chain. */
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestStack, type TestStack } from './running-stack.ts';
import { signInTestUser, type TestUser } from './signed-in-user.ts';

const side = 128;
const request = { prompt: 'a red apple on a blue background', seed: 3, num_inference_steps: 10 };

let stack: TestStack;
let user: TestUser;
let image: Buffer;
let imageUrl: string;

beforeAll(async () => {
  stack = await startTestStack();
  user = await signInTestUser(stack);
  image = await paintSource();
  imageUrl = await upload(image);
});
afterAll(async () => {
  await user?.close();
  await stack?.close();
});

/** A yellow disc on green. */
async function paintSource(): Promise<Buffer> {
  const disc = `<svg width="${side}" height="${side}"><rect width="100%" height="100%" fill="#2e9e4f"/><circle cx="64" cy="64" r="34" fill="#f2c230"/></svg>`;
  return sharp(Buffer.from(disc)).removeAlpha().png().toBuffer();
}

function upload(png: Buffer): Promise<string> {
  return user.client.uploadSource(new Blob([new Uint8Array(png)], { type: 'image/png' }));
}

async function pixelsOf(picture: Buffer): Promise<Buffer> {
  return sharp(picture).removeAlpha().raw().toBuffer();
}

async function download(url: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url)).arrayBuffer());
}

/** Mean absolute difference of the samples for which `isCounted` says yes. */
function difference(one: Buffer, other: Buffer, isCounted: (column: number) => boolean): number {
  let [sum, count] = [0, 0];
  for (let index = 0; index < one.length; index += 1) {
    if (!isCounted(Math.floor(index / 3) % side)) continue;
    sum += Math.abs(one[index]! - other[index]!);
    count += 1;
  }
  return sum / count;
}

async function generate(fields: object): Promise<{ pixels: Buffer; data: Record<string, unknown> }> {
  const generation = await user.client.submit({ ...request, ...fields });
  const { generation_data: data } = await user.client.waitForCompletion(generation);
  return { pixels: await pixelsOf(await download(data.image_urls?.[0] ?? '')), data };
}

test('img2img stays nearer to its source the lower the strength is', async () => {
  const source = await pixelsOf(image);
  const near = await generate({ image_url: imageUrl, strength: 0.2 });
  const far = await generate({ image_url: imageUrl, strength: 0.9 });
  expect(near.data).toMatchObject({ width: side, height: side });
  expect(near.data['recipe']).toMatchObject({
    request: { task_type: 'img2img' },
    sources: { image: { width: side } },
  });
  const [nearness, farness] = [near, far].map(({ pixels }) => difference(pixels, source, () => true)) as [
    number,
    number,
  ];
  expect(nearness).toBeLessThan(40);
  expect(farness).toBeGreaterThan(nearness * 1.5);
});

test('inpaint paints where the mask is white and keeps the rest; a result can be a source again', async () => {
  const half = `<svg width="${side}" height="${side}"><rect width="50%" height="100%" fill="#fff"/></svg>`;
  const mask = await sharp(Buffer.from(half)).flatten({ background: '#000' }).png().toBuffer();
  const mask_url = await upload(mask);
  const { pixels, data } = await generate({ image_url: imageUrl, mask_url, strength: 1 });
  const source = await pixelsOf(image);
  // Away from the edge, which the latents' cells of 8 pixels blur.
  const kept = difference(pixels, source, (column) => column >= 80);
  const painted = difference(pixels, source, (column) => column < 48);
  expect(kept).toBeLessThan(20);
  expect(painted).toBeGreaterThan(kept * 2);

  const [result = ''] = data['image_urls'] as string[];
  const again = await generate({ image_url: result, strength: 0.2 });
  expect(difference(again.pixels, pixels, () => true)).toBeLessThan(25);
});

test('what cannot be a source fails with its reason, at the door or in the document', async () => {
  const foreign = `gs://${stack.bucket}/generating/somebody/source/a.png`;
  for (const image_url of [
    foreign,
    imageUrl.replace(stack.bucket, 'another'),
    'https://169.254.169.254/a.png',
  ])
    await expect(user.client.submit({ ...request, image_url })).rejects.toMatchObject({
      code: 'invalid_argument',
    });

  const small = await sharp(image).resize(64).png().toBuffer();
  const cut = `data:image/png;base64,${image.subarray(0, image.length / 2).toString('base64')}`;
  const mask_url = `data:image/png;base64,${small.toString('base64')}`;
  for (const [fields, code, message] of [
    [
      { image_url: imageUrl, mask_url },
      'invalid_argument',
      /^mask_url: the mask has 64 x 64 .*expected the image's 128 x 128/,
    ],
    [{ image_url: cut }, 'source_not_available', /^image_url: the picture is cut off or damaged/],
    [
      { image_url: imageUrl.replace(/[^/]+$/, 'gone.png') },
      'source_not_available',
      /^image_url: there is no such file/,
    ],
  ] as const) {
    const generation = await user.client.submit({ ...request, ...fields });
    await expect(user.client.waitForCompletion(generation)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  }
});
