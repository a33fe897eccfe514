/** A running service: its ports by name, and how to end it. */
export interface RunningService {
    ports: Record<string, number>;
    close(): Promise<void>;
}
/** Runs a service program's `start` with the options that its parent gave, until SIGTERM or the parent's end. */
export declare function runService<Options>(start: (options: Options) => Promise<RunningService>): Promise<void>;
