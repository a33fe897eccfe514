import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJpegAvi } from './avi.ts';

function chunk(name: string, body: Uint8Array): Buffer {
  const head = Buffer.from(`${name}0000`);
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

function avi(frames: readonly Uint8Array[], widthPx = 64, heightPx = 32): Buffer {
  const avih = Buffer.alloc(56);
  avih.writeUInt32LE(widthPx, 32);
  avih.writeUInt32LE(heightPx, 36);
  const headers = chunk('LIST', Buffer.concat([Buffer.from('hdrl'), chunk('avih', avih)]));
  const sound = chunk('01wb', Buffer.alloc(3));
  const movie = frames.map((frame) => chunk('00dc', frame));
  const list = chunk('LIST', Buffer.concat([Buffer.from('movi'), ...movie, sound]));
  return chunk('RIFF', Buffer.concat([Buffer.from('AVI '), headers, list, chunk('idx1', Buffer.alloc(16))]));
}

describe('an AVI of JPEGs', () => {
  it('gives back its frames, of odd and of even length, and its size', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(frames, (each) => {
        const video = readJpegAvi(avi(each));
        expect(video).toMatchObject({ widthPx: 64, heightPx: 32 });
        expect(video.frames.map((frame) => [...frame])).toEqual(each.map((frame) => [...frame]));
      }),
    );
  });

  it('is refused when it is cut off anywhere, and when it is none', () => {
    const whole = avi([new Uint8Array(5), new Uint8Array(6)]);
    for (let length = 0; length < 130; length += 1)
      expect(() => readJpegAvi(whole.subarray(0, length))).toThrow(/AVI/);
    expect(() => readJpegAvi(avi([]))).toThrow('no frames');
    expect(() => readJpegAvi(Buffer.from('RIFF0000WEBPVP8L'))).toThrow('no AVI');
  });
});
