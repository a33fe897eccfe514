/** A generation's progress on a console: one line that changes on a terminal, a line for each news in a file or a pipe. */
import type { FirepodGeneration } from '@firepod/client';

interface Console {
  isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressLine {
  show(text: string): void;
  /** Ends the line, so that what follows starts on its own. */
  end(): void;
}

/** Writes nothing before `show`. */
export function createProgressLine(console: Console): ProgressLine {
  let shown = '';
  return {
    show(text) {
      if (text === shown) return;
      // Carriage return and "erase to the end of the line" (ECMA-48).
      console.write(console.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
      shown = text;
    },
    end() {
      if (shown !== '' && console.isTTY) console.write('\n');
      shown = '';
    },
  };
}

/** What a person wants to know of a generation in a few words. */
export function describeProgress(generation: FirepodGeneration): string {
  const { status } = generation;
  const progress = status === 'processing' ? generation.progress : null;
  return progress === null ? status : `${status}: ${progress.phase} ${Math.round(progress.percent)} %`;
}
