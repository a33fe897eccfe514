export interface RunpodOptions {
    host: string;
    endpointId: string;
    apiKey: string;
    ports: {
        runpod: number;
    };
    worker: {
        program: string;
        logFile: string;
        env: Record<string, string>;
        min: number;
        max: number;
        idleTimeoutMs: number;
    };
}
