import type { ImageGenerationData, VideoGenerationData } from '@firepod/contract';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newGeneration } from '../../testing/generations.ts';
import { inputFor, startTestBench, type TestBench } from '../../testing/test-bench.ts';
import { readPngText } from '../encode/png-text.ts';

let bench: TestBench;
beforeAll(async () => {
  bench = await startTestBench();
});
afterAll(() => bench.close());

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#28b450' } })
    .png()
    .toBuffer();
const dataUrlOf = (png: Buffer) => `data:image/png;base64,${png.toString('base64')}`;

describe('img2img', () => {
  it('takes the size and the pixels of an upload, and says in the recipe what it was without its address', async () => {
    const source = await picture(130, 70);
    const name = 'generating/ada/source/green.png';
    await bench.firebase.bucket.file(name).save(source, { resumable: false });
    const generation = newGeneration('from-an-upload');
    const image_url = `gs://${bench.firebase.bucket.name}/${name}`;
    const { done } = bench.deliver(inputFor(generation, { image_url, strength: 0.4 }));
    const data = (await done).generation_data as ImageGenerationData;

    expect(data).toMatchObject({ width: 128, height: 64, seeds: [7] });
    expect(data.recipe).toMatchObject({
      request: { task_type: 'img2img', strength: 0.4, image_url, width: 128, height: 64 },
      sources: { image: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), width: 130, height: 70 } },
    });
    const file = Buffer.from(await (await fetch(data.image_urls[0]!)).arrayBuffer());
    const { data: pixels, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 128, height: 64 });
    expect([...pixels.subarray(0, 3)]).toEqual([0x28, 0xb4, 0x50]);
    expect(readPngText(file, 'parameters')).toMatch(
      /Denoising strength: 0.4, Init image hash: [0-9a-f]{10}, /,
    );
  });

  it('has no address with a signature, and no data URL a second time, in its recipe', async () => {
    const image_url = dataUrlOf(await picture(64, 64));
    const { done } = bench.deliver({ prompt: 'a fox', image_url });
    const { recipe } = (await done).generation_data!;
    expect(recipe['request']).toMatchObject({ image_url: 'data:image/png', strength: 0.6 });
    const file = bench.firebase.bucket.file('generating/ada/image/earlier.png');
    await file.save(await picture(64, 64), { resumable: false, predefinedAcl: 'publicRead' });
    const signed = `${file.publicUrl()}?signature=secret`;
    const stored = bench.deliver(inputFor(newGeneration('signed'), { image_url: signed }));
    expect(JSON.stringify((await stored.done).generation_data)).not.toContain('secret');
  });

  it.each([
    ['source_not_available', 'a text', Buffer.from('no picture'), /^image_url: the file is no picture/],
    ['source_not_available', 'a cut off picture', null, /^image_url: the picture is cut off or damaged/],
  ])('ends with %s for %s, and the user is told', async (code, _, bytes, message) => {
    const generation = await bench.submitted();
    const image_url = dataUrlOf(bytes ?? (await picture(300, 300)).subarray(0, 120));
    const { done } = bench.deliver(inputFor(generation, { image_url }));
    await expect(done).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await bench.read(generation.path)).data()).toMatchObject({ status: 'failed', error_code: code });
    expect((await bench.firebase.objectNames()).filter((name) => name.includes(generation.fileUid))).toEqual(
      [],
    );
  });

  it.each([
    'gs://another-bucket/generating/ada/source/a.png',
    'gs://demo-firepod.firebasestorage.app/generating/eve/source/a.png',
    'https://169.254.169.254/latest/meta-data',
    'https://0x7f.1/a.png',
    'https://[::ffff:10.0.0.1]/a.png',
    'https://localhost/a.png',
    'http://10.0.0.1/a.png',
  ])('is refused at the door for %s', async (image_url) => {
    const { done } = bench.deliver(inputFor(newGeneration(), { image_url }));
    await expect(done).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^image_url: /),
    });
  });
});

describe('text2video', () => {
  const fields = { num_frames: 9, fps: 6, video_width: 96, video_height: 64 };

  it('stores an MP4 and its poster, and says how long it is', async () => {
    const generation = newGeneration('a-video');
    const { done, progress } = bench.deliver(inputFor(generation, fields));
    const output = await done;
    expect(output).toMatchObject({ status: 'completed', media_type: 'video' });
    const data = output.generation_data as VideoGenerationData;
    expect(data).toMatchObject({
      width: 96,
      height: 64,
      fps: 6,
      num_frames: 9,
      duration_seconds: 1.5,
      seed: 7,
      seeds: [7],
    });
    expect(data.video_url).toMatch(/generating%2Fada%2Fvideo%2Fa-video\.mp4$/);
    expect(data.poster_url).toMatch(/generating%2Fada%2Fthumbnail%2Fa-video\.webp$/);
    expect(data.thumbnail_urls).toEqual([data.poster_url]);
    expect(data.blurhash).not.toBe('');

    const video = await fetch(data.video_url, { headers: { range: 'bytes=4-7' } });
    expect(video.headers.get('content-type')).toBe('video/mp4');
    expect(await video.text()).toBe('ftyp');
    const poster = await (await fetch(data.poster_url)).arrayBuffer();
    expect(await sharp(poster).metadata()).toMatchObject({ format: 'webp', width: 96, height: 64 });
    expect(progress.mock.calls.length).toBeGreaterThan(2);
    const document = await bench.read('generations/ada/videos/a-video');
    expect(document.get('generation_data.video_url')).toBe(data.video_url);
  });

  it('comes back in the output where it is not to be stored', async () => {
    const { generation_data } = await bench.deliver({ prompt: 'a fox', ...fields }).done;
    const { video_url, poster_url } = generation_data as VideoGenerationData;
    expect(video_url).toMatch(/^data:video\/mp4;base64,AAAA/);
    expect(poster_url).toMatch(/^data:image\/webp;base64,/);
  });

  it.each([
    [{ num_frames: 18 }, /^num_frames: 18 /],
    [{ ...fields, video_width: 72 }, /^video_width: 72 .*multiple of 32/],
  ])('is refused for %j', async (bad, message) => {
    await expect(bench.deliver({ prompt: 'a fox', ...bad }).done).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message),
    });
  });
});
