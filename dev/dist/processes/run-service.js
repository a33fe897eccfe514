/** What every service program does around its work: read options, report readiness, end with its parent. */
import { serviceOptionsVariable } from '../service-process.js';
/** Runs a service program's `start` with the options that its parent gave, until SIGTERM or the parent's end. */
export async function runService(start) {
    const options = JSON.parse(process.env[serviceOptionsVariable] ?? '{}');
    let service;
    try {
        service = await start(options);
    }
    catch (error) {
        tellParent({ failed: error instanceof Error ? error.message : String(error) });
        process.exitCode = 1;
        process.disconnect?.();
        return;
    }
    let closing = false;
    const close = async () => {
        if (closing)
            return;
        closing = true;
        await service.close();
        process.exit(0);
    };
    process.once('SIGTERM', close);
    // The channel closes when the parent ends, even by SIGKILL: no service outlives its stack.
    process.once('disconnect', close);
    tellParent({ ready: service.ports });
}
function tellParent(message) {
    process.send?.(message);
}
//# sourceMappingURL=run-service.js.map