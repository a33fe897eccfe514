/** What a service process sends its parent once it listens, or when it cannot start. */
export type ServiceMessage = {
    ready: Record<string, number>;
} | {
    failed: string;
};
export interface ServiceProcess {
    /** The ports that it listens on, by service name. */
    readonly ports: Record<string, number>;
    /** The process's id; it changes when the process is restarted. */
    readonly pid: number;
    /** Asks it to end (SIGTERM), and ends it after five seconds. */
    close(): Promise<void>;
}
interface ServiceProcessOptions {
    name: string;
    /** Path of the built program. */
    program: string;
    /** Plain data for the program, `ports` among it; 0 = any. A restart repeats the ports that were found. */
    options: {
        ports: Record<string, number>;
    };
    env: Record<string, string>;
    logFile: string;
    /** Called when the process died by itself and is being started again. */
    onRestart?: (name: string, reason: string) => void;
}
/** Names the environment variable that carries a service program's options as JSON. */
export declare const serviceOptionsVariable = "FIREPOD_SERVICE_OPTIONS";
/** @throws {Error} when the process ends or reports a failure before it listens. */
export declare function startServiceProcess(service: ServiceProcessOptions): Promise<ServiceProcess>;
export {};
