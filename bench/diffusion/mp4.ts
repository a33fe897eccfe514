/** Our encoder of videos with the ffmpeg that it carries, and with another one: the same arguments, the same frames. */
import { spawnSync } from 'node:child_process';
import { encodeVideo } from '../../apps/worker/src/encode/video.ts';

const fps = 16;

/** Another ffmpeg than the carried one. */
export interface PeerFfmpeg {
  readonly path: string;
  /** Its own first words. */
  readonly version: string;
}

/** The one that FFMPEG_PATH_PEER names, else the one on the PATH; undefined when there is none. */
export function findPeerFfmpeg(): PeerFfmpeg | undefined {
  const path = process.env['FFMPEG_PATH_PEER'] ?? 'ffmpeg';
  const { status, stdout } = spawnSync(path, ['-hide_banner', '-version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return { path, version: /^ffmpeg version \S+/.exec(stdout)?.[0] ?? path };
}

/** Two seconds of Wan 2.1's size: a picture with fine texture that slides by, which costs an encoder what a film does. */
export function slidingTexture(widthPx = 832, heightPx = 480, count = 33) {
  return Array.from({ length: count }, (_, frame) => {
    const rgb = new Uint8Array(widthPx * heightPx * 3);
    for (let y = 0; y < heightPx; y += 1) {
      for (let x = 0; x < widthPx; x += 1) {
        const u = x + 3 * frame;
        const v = y + frame;
        const wave = 60 * Math.sin(u / 17) * Math.cos(v / 23);
        // A hash of the texture's own coordinates, so that the grain moves with it.
        const grain = (Math.imul(u, 73856093) ^ Math.imul(v, 19349663)) & 31;
        const at = (y * widthPx + x) * 3;
        rgb[at] = 128 + wave + grain;
        rgb[at + 1] = 110 - wave / 2 + grain;
        rgb[at + 2] = 96 + ((u ^ v) & 63);
      }
    }
    return { rgb, widthPx, heightPx };
  });
}

/**
 * @param ffmpegPath null: the carried one
 * @returns milliseconds from the call to the file's bytes
 */
export async function measureEncoding(
  frames: ReturnType<typeof slidingTexture>,
  ffmpegPath: string | null,
): Promise<{ durationMs: number; sizeBytes: number }> {
  const startedAtMs = performance.now();
  const { bytes } = await encodeVideo(frames, {
    fps,
    parameters: 'bench',
    ffmpegPath,
    signal: AbortSignal.timeout(120_000),
  });
  return { durationMs: performance.now() - startedAtMs, sizeBytes: bytes.length };
}
