/** Log lines as RunPod's console reads them: one JSON object with requestId, message and level, capped at 4096 characters. */
import type { Logger } from '../logger.ts';
import { LOG_LEVELS, type LogLevel } from './settings.ts';

/** Longer lines are cut by the platform; runpod-python cuts its messages at the same length. */
export const MAX_LOG_LINE_CHARACTERS = 4096;

/** Where lines go and which are written. */
export interface PlatformLoggerOptions {
  /** Gets one line with its newline, e.g. `(line) => process.stdout.write(line)`. */
  write: (line: string) => void;
  /** Least severe level that is written; default INFO. */
  level?: LogLevel | undefined;
}

/** A logger for `startWorker`: `{"requestId": job, "message": …, "level": "INFO", …fields}`, one object a line. */
export function createPlatformLogger(options: PlatformLoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level ?? 'INFO');
  function log(level: LogLevel, fields: Record<string, unknown>, message: string): void {
    if (LOG_LEVELS.indexOf(level) >= threshold) options.write(`${formatLine(level, fields, message)}\n`);
  }
  return {
    debug: (fields, message) => log('DEBUG', fields, message),
    info: (fields, message) => log('INFO', fields, message),
    warn: (fields, message) => log('WARN', fields, message),
    error: (fields, message) => log('ERROR', fields, message),
  };
}

function formatLine(level: LogLevel, fields: Record<string, unknown>, message: string): string {
  const { requestId, ...rest } = fields;
  const bound = { requestId: typeof requestId === 'string' ? requestId : null };
  const whole = toJson({ ...bound, message, level, ...rest });
  if (whole.length <= MAX_LOG_LINE_CHARACTERS) return whole;
  // Fields first give way to the message, then the message loses its middle.
  const bare = (text: string) => toJson({ ...bound, message: text, level });
  let keptCharacters = message.length;
  let line = bare(message);
  while (line.length > MAX_LOG_LINE_CHARACTERS && keptCharacters > 0) {
    // Escapes make a character up to six long, so one cut may not be enough.
    keptCharacters = Math.max(0, keptCharacters - Math.max(64, (line.length - MAX_LOG_LINE_CHARACTERS) >> 2));
    line = bare(withoutMiddle(message, keptCharacters));
  }
  return line;
}

function withoutMiddle(text: string, keptCharacters: number): string {
  const half = keptCharacters >> 1;
  const cut = text.length - 2 * half;
  return `${text.slice(0, half)}\n...TRUNCATED ${cut} CHARACTERS...\n${text.slice(text.length - half)}`;
}

function toJson(fields: Record<string, unknown>): string {
  try {
    return JSON.stringify(fields, (_, value) => {
      if (typeof value === 'bigint') return String(value);
      return value instanceof Error ? { name: value.name, message: value.message } : value;
    });
  } catch {
    // A logger must not throw: cyclic fields are left out, the line itself is kept.
    const { requestId, message, level } = fields;
    return JSON.stringify({ requestId, message, level });
  }
}
