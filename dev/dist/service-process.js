/** One service process of a stack: forked, awaited until it listens, restarted on the same ports when it dies. */
import { fork } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
/** Names the environment variable that carries a service program's options as JSON. */
export const serviceOptionsVariable = 'FIREPOD_SERVICE_OPTIONS';
const killAfterMs = 5_000;
const restartDelaysMs = [100, 500, 2_000, 5_000];
/** @throws {Error} when the process ends or reports a failure before it listens. */
export async function startServiceProcess(service) {
    let closing = false;
    let restarts = 0;
    let { child, ports } = await launch(service, service.options.ports);
    const watch = (running) => {
        const startedAt = Date.now();
        running.once('exit', (code, signal) => {
            if (closing)
                return;
            if (Date.now() - startedAt > 60_000)
                restarts = 0;
            void restart(signal ?? `exit ${code}`);
        });
    };
    const restart = async (reason) => {
        service.onRestart?.(service.name, reason);
        await delay(restartDelaysMs[Math.min(restarts, restartDelaysMs.length - 1)]);
        restarts += 1;
        if (closing)
            return;
        try {
            ({ child, ports } = await launch(service, ports));
        }
        catch (error) {
            return restart(error instanceof Error ? error.message : String(error));
        }
        if (closing)
            await end(child);
        else
            watch(child);
    };
    watch(child);
    return {
        get ports() {
            return ports;
        },
        get pid() {
            return child.pid ?? -1;
        },
        async close() {
            closing = true;
            await end(child);
        },
    };
}
function launch(service, ports) {
    mkdirSync(dirname(service.logFile), { recursive: true });
    const log = createWriteStream(service.logFile, { flags: 'a' });
    const child = fork(service.program, [], {
        env: {
            ...process.env,
            ...service.env,
            [serviceOptionsVariable]: JSON.stringify({ ...service.options, ports }),
        },
        // A group of its own: a Ctrl-C reaches this parent, which ends its children in the right order.
        detached: true,
        // Built programs need none of this process's flags; a test runner's would have them import sources.
        execArgv: [],
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.once('close', () => log.end());
    return new Promise((resolve, reject) => {
        const fail = (reason) => reject(new Error(`The ${service.name} process could not start: ${reason} Its log is ${service.logFile}.`));
        child.once('error', (error) => fail(error.message));
        child.once('exit', (code, signal) => fail(`it ended with ${signal ?? code}.`));
        child.on('message', (message) => {
            const told = message;
            if ('ready' in told)
                resolve({ child, ports: told.ready });
            else
                fail(told.failed);
        });
    });
}
async function end(child) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const exited = new Promise((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await exited;
    clearTimeout(timer);
}
//# sourceMappingURL=service-process.js.map