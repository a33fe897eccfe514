/** A logger that keeps its lines, for tests of what is said. */
import type { Logger } from '@firepod/runpod/worker';

export interface CollectingLogger extends Logger {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
}

export function createCollectingLogger(): CollectingLogger {
  const lines: CollectingLogger['lines'] = [];
  const at = (level: string) => (fields: Record<string, unknown>, message: string) => {
    lines.push({ level, message, fields });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
