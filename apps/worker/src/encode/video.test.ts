import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import carried from '@ffmpeg-installer/ffmpeg';
import { afterAll, describe, expect, it } from 'vitest';
import type { Frame } from '../engines/engine.ts';
import { encodeVideo } from './video.ts';

const never = new AbortController().signal;
const options = {
  fps: 12,
  parameters: 'a fox, “grün” ☃\nSteps: 2, Seed: 7',
  ffmpegPath: null,
  signal: never,
};
const folder = mkdtempSync(join(tmpdir(), 'firepod-video-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A red square that moves to the right over blue. */
const frames = Array.from({ length: 9 }, (_, index) => frameWithSquareAt(index * 6));

function frameWithSquareAt(left: number): Frame {
  const [widthPx, heightPx] = [96, 64];
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let pixel = 0; pixel < widthPx * heightPx; pixel += 1) {
    const [column, row] = [pixel % widthPx, Math.floor(pixel / widthPx)];
    const isSquare = column >= left && column < left + 24 && row >= 20 && row < 44;
    rgb.set(isSquare ? [210, 30, 30] : [30, 60, 190], pixel * 3);
  }
  return { rgb, widthPx, heightPx };
}

/** The kinds of an MP4's outermost boxes (ISO/IEC 14496-12, 4.2), in order. */
function boxesOf(mp4: Buffer): string[] {
  const kinds: string[] = [];
  for (let offset = 0; offset < mp4.length; offset += mp4.readUInt32BE(offset)) {
    kinds.push(mp4.toString('latin1', offset + 4, offset + 8));
  }
  return kinds;
}

/** What ffmpeg itself reads in the file: the description of its stream, and its frames in RGB. */
function decode(mp4: Buffer) {
  const file = join(folder, 'video.mp4');
  writeFileSync(file, mp4);
  const back = ['-vf', 'scale=in_color_matrix=bt709:in_range=tv', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  const { stdout, stderr } = spawnSync(carried.path, ['-i', file, '-vsync', '0', ...back], {
    maxBuffer: 1e8,
  });
  return { pixels: stdout, description: String(stderr) };
}

describe('a video', () => {
  it('is H.264 in an MP4 that plays while it loads, with the colours, the rate and the number of its frames', async () => {
    const { bytes, contentType } = await encodeVideo(frames, options);
    expect(contentType).toBe('video/mp4');
    const boxes = boxesOf(bytes);
    expect(boxes[0]).toBe('ftyp');
    expect(boxes.indexOf('moov')).toBeLessThan(boxes.indexOf('mdat'));

    const { pixels, description } = decode(bytes);
    expect(description).toMatch(/Video: h264 .*yuv420p\(tv, bt709\), 96x64.* 12 fps/);
    expect(description).toContain('a fox, “grün” ☃');
    expect(description).toMatch(/Duration: 00:00:00\.75/);
    expect(pixels).toHaveLength(9 * 96 * 64 * 3);
    const colourAt = (frame: number, column: number) => {
      const at = ((frame * 64 + 32) * 96 + column) * 3;
      return [...pixels.subarray(at, at + 3)];
    };
    for (const [colour, expected] of [
      [colourAt(0, 12), [210, 30, 30]],
      [colourAt(8, 60), [210, 30, 30]],
      [colourAt(8, 12), [30, 60, 190]],
    ] as const)
      for (const [channel, value] of expected.entries())
        expect(Math.abs(colour[channel]! - value), `${colour}`).toBeLessThan(12);
  });

  it('has the same bytes each time', async () => {
    expect(await encodeVideo(frames, options)).toEqual(await encodeVideo(frames, options));
  });

  it('stops when its signal fires, and after its time, and leaves no file', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('firepod-video-'));
    const stop = new AbortController();
    const stopped = encodeVideo(frames, { ...options, signal: stop.signal });
    stop.abort(new Error('stop'));
    await expect(stopped).rejects.toThrow('stop');
    await expect(encodeVideo(frames, { ...options, timeoutMs: 1 })).rejects.toMatchObject({
      code: 'internal',
    });
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('firepod-video-'))).toEqual(before);
  });

  it('that cannot be made says why to the log, not to the user', async () => {
    const odd = frames.map((frame) => ({ ...frame, widthPx: 95, rgb: frame.rgb.subarray(0, 95 * 64 * 3) }));
    await expect(encodeVideo(odd, options)).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('ffmpeg'),
      cause: { message: expect.stringMatching(/ffmpeg ended with 1: .*not divisible by 2/s) },
    });
    await expect(encodeVideo(frames, { ...options, ffmpegPath: '/nowhere/ffmpeg' })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('ENOENT') },
    });
  });
});
