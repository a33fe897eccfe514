/** A logger for service programs: one JSON line an entry on standard output, which the parent keeps in a file. */
declare const levels: readonly ['debug', 'info', 'warn', 'error'];
type Level = (typeof levels)[number];
type Log = (fields: object, message: string) => void;
/** The four methods that Firepod's libraries log through; entries below `lowest` are left out. */
export declare function createConsoleLogger(lowest?: Level): Record<Level, Log>;
export {};
