/** What this package asks of a logger: four levels, fields first, message second. Without one it is silent. */

type LogMethod = (fields: Record<string, unknown>, message: string) => void;

/** A pino-shaped logger; `console` wrapped in four lines will do too. */
export interface DiffusionLogger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}
