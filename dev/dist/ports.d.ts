/** The services of a stack that listen: Firebase's emulator ports, the studio and RunPod. */
export declare const defaultPorts: {
    readonly auth: 9099;
    readonly firestore: 8080;
    readonly storage: 9199;
    readonly functions: 5001;
    readonly web: 5000;
    readonly runpod: 8800;
};
export type ServiceName = keyof typeof defaultPorts;
export type Ports = Record<ServiceName, number>;
/** Every service's port; `'any'` lets the system choose a free one for each (0). */
export declare function portPlan(choice: {
    offset: number;
} | 'any'): Ports;
/** A port of the plan that something else listens on. */
export interface BusyPort {
    service: ServiceName;
    port: number;
    /** The holder as `pid 123 (node server.js)`, or undefined when the system does not tell. */
    holder: string | undefined;
}
/** Finds the ports of a plan that are taken on `host`; 0 is never taken. */
export declare function findBusyPorts(ports: Ports, host: string): Promise<BusyPort[]>;
/** Names the process that listens on a TCP port: from /proc on Linux, by lsof elsewhere. */
export declare function portHolder(port: number): string | undefined;
