/** Which port each service of a stack listens on, and who holds a port that is not free. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
/** The services of a stack that listen: Firebase's emulator ports, the studio and RunPod. */
export const defaultPorts = {
    auth: 9099,
    firestore: 8080,
    storage: 9199,
    functions: 5001,
    web: 5000,
    runpod: 8800,
};
/** Every service's port; `'any'` lets the system choose a free one for each (0). */
export function portPlan(choice) {
    const entries = Object.entries(defaultPorts).map(([name, port]) => [
        name,
        choice === 'any' ? 0 : port + choice.offset,
    ]);
    return Object.fromEntries(entries);
}
/** Finds the ports of a plan that are taken on `host`; 0 is never taken. */
export async function findBusyPorts(ports, host) {
    const checked = await Promise.all(Object.entries(ports).map(async ([service, port]) => port === 0 || (await isFree(port, host)) ? undefined : { service, port, holder: portHolder(port) }));
    return checked.filter((busy) => busy !== undefined);
}
function isFree(port, host) {
    return new Promise((resolve) => {
        const server = createServer();
        server.once('error', () => resolve(false));
        server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
    });
}
/** Names the process that listens on a TCP port: from /proc on Linux, by lsof elsewhere. */
export function portHolder(port) {
    const pid = process.platform === 'linux' ? holderFromProc(port) : holderFromLsof(port);
    if (pid === undefined)
        return undefined;
    const command = commandOf(pid);
    return command === undefined ? `pid ${pid}` : `pid ${pid} (${command})`;
}
function holderFromProc(port) {
    const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningInodes(table, port)));
    if (inodes.size === 0)
        return undefined;
    for (const name of readdirSync('/proc')) {
        if (!/^\d+$/.test(name))
            continue;
        for (const descriptor of attempt(() => readdirSync(`/proc/${name}/fd`)) ?? []) {
            const target = attempt(() => readlinkSync(`/proc/${name}/fd/${descriptor}`));
            const inode = target?.match(/^socket:\[(\d+)\]$/)?.[1];
            if (inode !== undefined && inodes.has(inode))
                return Number(name);
        }
    }
    return undefined;
}
/** Rows of /proc/net/tcp: `sl local_address rem_address st …  inode`, addresses as hex, state 0A = LISTEN (proc(5)). */
function listeningInodes(table, port) {
    const wanted = port.toString(16).toUpperCase().padStart(4, '0');
    const rows = attempt(() => readFileSync(table, 'utf8'))
        ?.split('\n')
        .slice(1) ?? [];
    return rows
        .map((row) => row.trim().split(/\s+/))
        .filter((columns) => columns[3] === '0A' && columns[1]?.endsWith(`:${wanted}`))
        .map((columns) => columns[9] ?? '');
}
function holderFromLsof(port) {
    const output = attempt(() => execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], { encoding: 'utf8' }));
    const pid = Number(output?.trim().split('\n')[0]);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
function commandOf(pid) {
    const text = process.platform === 'linux'
        ? attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
        : attempt(() => execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }));
    return text?.trim().slice(0, 120) || undefined;
}
/** What the system lets us read; processes end and other users' are closed to us, and then there is simply no answer. */
function attempt(read) {
    try {
        return read();
    }
    catch {
        return undefined;
    }
}
//# sourceMappingURL=ports.js.map