/** Encodes raw frames as an MP4 that every browser plays, by ffmpeg in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ERROR_CODES } from '@firepod/contract';
import type { Frame } from '../engines/engine.ts';
import { WorkerError } from '../errors.ts';
import type { EncodedFile } from './image.ts';

/** Far more than the largest video takes: 161 frames of 2048 x 2048 need about a minute on two cores. */
const ENCODE_TIMEOUT_MS = 10 * 60_000;
const LAST_WORDS_CHARACTERS = 4096;

/** How a video is encoded. */
export interface VideoOptions {
  /** Frames a second. */
  fps: number;
  /** The text that the file carries as its comment. */
  parameters: string;
  /** The program; null: the one that comes with the package. */
  ffmpegPath: string | null;
  signal: AbortSignal;
  timeoutMs?: number;
}

/**
 * H.264 in yuv420p, tagged BT.709, with its index in front so that it plays while it loads. All frames are of one size,
 * whose sides are even. The same frames, rate and parameters give the same bytes.
 * @throws the signal's reason; WorkerError `internal`, with ffmpeg's words as its cause
 */
export async function encodeVideo(frames: readonly Frame[], options: VideoOptions): Promise<EncodedFile> {
  const { signal, timeoutMs = ENCODE_TIMEOUT_MS } = options;
  const program = options.ffmpegPath ?? (await carriedFfmpeg());
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'firepod-video-'));
  try {
    // The index in front is written last, by going back: that takes a file.
    const file = join(folder, 'video.mp4');
    const timeout = AbortSignal.timeout(timeoutMs);
    await run(program, [...argumentsFor(frames, options), file], frames, AbortSignal.any([signal, timeout]));
    return { bytes: await readFile(file), contentType: 'video/mp4' };
  } catch (cause) {
    signal.throwIfAborted();
    throw new WorkerError('internal', ERROR_CODES.internal.sentence, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rates are checked by the contract, sizes by the card. */
function argumentsFor([first]: readonly Frame[], { fps, parameters }: VideoOptions): string[] {
  if (!first) throw new Error('A video needs at least one frame.');
  const input = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-s',
    `${first.widthPx}x${first.heightPx}`,
    '-r',
    `${fps}`,
  ];
  const toBt709 = 'out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int';
  const tags = [
    '-colorspace',
    'bt709',
    '-color_primaries',
    'bt709',
    '-color_trc',
    'bt709',
    '-color_range',
    'tv',
  ];
  return [
    ...['-hide_banner', '-loglevel', 'error', '-y', ...input, '-i', 'pipe:0', '-vf', `scale=${toBt709}`],
    // A key frame at least every 30 frames, so that a player can jump.
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '18', '-g', '30', '-pix_fmt', 'yuv420p', ...tags],
    ...['-metadata', `comment=${parameters}`, '-movflags', '+faststart', '-f', 'mp4'],
  ];
}

async function run(
  program: string,
  args: string[],
  frames: readonly Frame[],
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], signal, killSignal: 'SIGKILL' });
  let lastWords = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS_CHARACTERS);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, killedBy) => {
      if (exitCode === 0) resolve();
      else reject(new Error(`ffmpeg ended with ${killedBy ?? exitCode}: ${lastWords.trim()}`));
    });
  });
  const fed = pipeline(Readable.from(frames.map((frame) => frame.rgb)), child.stdin);
  // A program that dies closes its input first; why it died, `ended` tells.
  const [feeding, ending] = await Promise.allSettled([fed, ended]);
  if (ending.status === 'rejected') throw ending.reason;
  if (feeding.status === 'rejected') throw feeding.reason;
}

/** Loaded on demand: the package throws where it has no program for the system. */
async function carriedFfmpeg(): Promise<string> {
  try {
    const { default: carried } = await import('@ffmpeg-installer/ffmpeg');
    return carried.path;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause); // it throws texts
    throw new WorkerError('internal', ERROR_CODES.internal.sentence, {
      cause: new Error(`There is no ffmpeg for this system (${reason}); set FFMPEG_PATH to one.`),
    });
  }
}
