import type { Ports } from './ports.ts';
import { type ServiceProcess } from './service-process.ts';
/** The folder of the clone; this file lies two folders below it, as source and as built. */
export declare const cloneFolder: string;
export declare const projectId = "demo-firepod";
export declare const bucket = "demo-firepod.firebasestorage.app";
export declare const endpointId = "local";
export declare const host = "127.0.0.1";
export interface StackOptions {
    /** Where data, secrets and logs live. */
    dataFolder: string;
    ports: Ports;
    /** Folder of the model that the workers load. */
    modelFolder: string;
    /** How long RunPod keeps a worker that has nothing to do, and how many it keeps whatever happens. */
    worker?: {
        min: number;
        max: number;
        idleTimeoutMs: number;
    };
    /** More environment for functions and workers, for example `FIREPOD_DISPATCH` or `FIREPOD_LEASE_SECONDS`. */
    env?: Record<string, string>;
    onRestart?: (name: string, reason: string) => void;
}
/** What a client needs to talk to a stack: where each service listens, and the app's configuration. */
export interface StackAddresses {
    projectId: string;
    bucket: string;
    endpointId: string;
    host: string;
    ports: Ports;
}
export interface Stack extends StackAddresses {
    readonly processes: {
        data: ServiceProcess;
        runpod: ServiceProcess;
        functions: ServiceProcess;
    };
    /** The key that RunPod's endpoint wants; for tests that call it directly, as the integration guide does. */
    readonly runpodApiKey: string;
    readonly serviceAccountFile: string;
    close(): Promise<void>;
}
/** @throws {Error} naming the service that could not start; what had started is ended again. */
export declare function startStack(options: StackOptions): Promise<Stack>;
