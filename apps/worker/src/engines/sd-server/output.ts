/** Reads what sd-server prints: progress bars between carriage returns, log lines, and whatever else comes along. */

/** What a piece of output says. */
export type SdServerOutput =
  | { type: 'bar'; step: number; steps: number }
  | { type: 'phase'; phase: 'encoding' | 'denoising' | 'decoding' }
  | { type: 'line'; text: string };

/** Takes the output in chunks cut anywhere. */
export interface OutputReader {
  push(text: string): SdServerOutput[];
}

/** A longer piece without any end is no line of the server's. */
const LONGEST_PIECE_CHARACTERS = 16_384;

/** A bar erases the rest of its line, which ends it too: the next return comes only with the next step. */
const ERASE = '\u001b[K';

/** "  |=====>    | 7/25 - 1.23it/s". Bars of weights are drawn with # and count MB/s or GB/s. */
const BAR = /\|[^|#]*\| *(\d{1,6})\/(\d{1,6}) - [\d.]+(?:it\/s|s\/it)$/;
const WEIGHTS_BAR = /\|[#\s]*\| *\d+\/\d+ - [\d.]+[MG]B\/s$/;
const LOG_PREFIX = /^\[(?:DEBUG|INFO|WARN|ERROR) *\] (?:\S+ *- )?/;

/** Messages of stable-diffusion.cpp that begin a phase; the bars of tiled decoding look like those of steps. */
const PHASE_MESSAGES: readonly (readonly [RegExp, 'encoding' | 'denoising' | 'decoding'])[] = [
  [/^generate_image \d+x\d+/, 'encoding'],
  [/^get_learned_condition completed/, 'denoising'],
  // Not as with pictures, whose message of this kind comes first: a video's comes after its text was encoded.
  [/^generate_video \d+x\d+/, 'denoising'],
  [/^generating image: /, 'denoising'],
  [/^sampling completed/, 'decoding'],
  [/^generating .*latent.* completed/, 'decoding'],
  [/^decoding \d+/, 'decoding'],
];

/** Starts with nothing read. */
export function createOutputReader(): OutputReader {
  let rest = '';
  return {
    push(text) {
      const pieces = (rest + text).replaceAll(ERASE, '\n').split(/[\r\n]/);
      rest = (pieces.pop() ?? '').slice(-LONGEST_PIECE_CHARACTERS);
      return pieces.flatMap(readPiece);
    },
  };
}

function readPiece(piece: string): SdServerOutput[] {
  const bar = BAR.exec(piece);
  if (bar) {
    const [step, steps] = [Number(bar[1]), Number(bar[2])];
    return step >= 1 && step <= steps ? [{ type: 'bar', step, steps }] : [];
  }
  const text = piece.trim();
  if (text === '' || WEIGHTS_BAR.test(piece)) return [];
  const message = text.replace(LOG_PREFIX, '');
  const phase = PHASE_MESSAGES.find(([pattern]) => pattern.test(message))?.[1];
  const line: SdServerOutput = { type: 'line', text: text.slice(0, LONGEST_PIECE_CHARACTERS) };
  return phase ? [{ type: 'phase', phase }, line] : [line];
}

/** Lines of ggml's CPU, CUDA, Vulkan and Metal backends, of stable-diffusion.cpp and of the C++ runtime when an allocation fails. */
const OUT_OF_MEMORY =
  /out of memory|insufficient memory|OutOfDeviceMemory|ErrorOutOfHostMemory|std::bad_alloc|failed to allocate|alloc (?:compute|params)[\w ]* failed|sched alloc compute graph failed|ggml_gallocr_reserve_n: failed/i;

/** Whether a line says that memory ran out. */
export function saysOutOfMemory(line: string): boolean {
  return OUT_OF_MEMORY.test(line);
}

/** A failure passes through many lines: the first ones say what went wrong, the last ones where that arrived. */
const FIRST_REASON_LINES = 2;
const LAST_REASON_LINES = 2;

/** The lines that tell of an error, without their tags and without those in the middle; null when none does. */
export function reasonOf(lines: readonly string[]): string | null {
  const telling = lines.filter((line) =>
    /\[ERROR\]|\berror\b|\bfailed\b|abort|assert|terminate|what\(\)/i.test(line),
  );
  if (telling.length === 0) return null;
  return [
    ...telling.slice(0, FIRST_REASON_LINES),
    ...telling.slice(FIRST_REASON_LINES).slice(-LAST_REASON_LINES),
  ]
    .map((line) => line.replace(LOG_PREFIX, '').slice(0, 300))
    .join('; ');
}
