/** Takes the frames out of an AVI of JPEGs, the one video container that every build of sd-server writes. */

/** A video before its frames are decoded. */
export interface JpegVideo {
  /** One JPEG file for each frame. */
  frames: Uint8Array[];
  widthPx: number;
  heightPx: number;
}

/** @throws Error that says what is wrong with the bytes */
export function readJpegAvi(bytes: Uint8Array): JpegVideo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (fourCc(bytes, 0) !== 'RIFF' || fourCc(bytes, 8) !== 'AVI ')
    throw new Error('These bytes are no AVI file.');
  const video: JpegVideo = { frames: [], widthPx: 0, heightPx: 0 };

  function readChunks(start: number, end: number): void {
    let offset = start;
    while (offset + 8 <= end) {
      const name = fourCc(bytes, offset);
      const size = view.getUint32(offset + 4, true);
      const body = offset + 8;
      if (body + size > end) throw new Error(`The AVI chunk ${JSON.stringify(name)} is cut off.`);
      if (name === 'LIST') readChunks(body + 4, body + size);
      else if (name === 'avih' && size >= 40) {
        video.widthPx = view.getUint32(body + 32, true);
        video.heightPx = view.getUint32(body + 36, true);
      } else if (/^\d\dd[bc]$/.test(name)) {
        video.frames.push(bytes.subarray(body, body + size));
      }
      offset = body + size + (size % 2); // chunks begin at even offsets
    }
  }

  readChunks(12, Math.min(bytes.length, 8 + view.getUint32(4, true)));
  if (video.frames.length === 0) throw new Error('The AVI file has no frames.');
  return video;
}

function fourCc(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
