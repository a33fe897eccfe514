/** `npm start`: all of Firepod on this machine, until Ctrl-C. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { settingsFrom } from './env.js';
import { findBusyPorts, portPlan } from './ports.js';
import { cloneFolder, host, startStack } from './stack.js';
import { announceStack, findRunningStack } from './stack-file.js';
import { startStudio } from './studio.js';
const usage = `npm start -- [--port-offset N] [--data FOLDER]

  --port-offset N   adds N to every port
  --data FOLDER     keeps data, secrets and logs there instead of .firepod`;
const startedAt = performance.now();
await main().catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
});
async function main() {
    const { values } = parseArgs({
        options: {
            'port-offset': { type: 'string', default: '0' },
            data: { type: 'string', default: join(cloneFolder, '.firepod') },
            help: { type: 'boolean', short: 'h', default: false },
        },
    });
    if (values.help) {
        console.log(usage);
        return;
    }
    const offset = Number(values['port-offset']);
    if (!Number.isInteger(offset) || offset < 0 || offset > 50_000) {
        throw new Error(`--port-offset: ${values['port-offset']} is not allowed; expected a whole number from 0 to 50000.`);
    }
    const dataFolder = values.data;
    const running = findRunningStack(dataFolder);
    if (running !== undefined) {
        throw new Error(`Firepod already runs from ${dataFolder}: http://${running.host}:${running.ports.web}`);
    }
    const ports = portPlan({ offset });
    const busy = await findBusyPorts(ports, host);
    if (busy.length > 0) {
        const lines = busy.map(({ service, port, holder }) => `  port ${port}, wanted for ${service}, is held by ${holder ?? 'another process'}`);
        throw new Error(`Some ports are not free:\n${lines.join('\n')}\nEnd those processes, or move all ports: npm start -- --port-offset 100`);
    }
    const settings = settingsFrom(process.env);
    const stack = await startStack({
        dataFolder,
        ports,
        ...settings,
        onRestart: (name, reason) => console.error(`The ${name} process ended (${reason}); starting it again.`),
    });
    const hosting = await startStudio(stack).catch(async (error) => {
        await stack.close();
        throw error;
    });
    const withdraw = announceStack(dataFolder, stack);
    console.log(`
  Firepod is ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s

  Studio     http://${host}:${ports.web}
  Model      ${settings.modelFolder}
  Data       ${dataFolder}   (logs in ${join(dataFolder, 'logs')})

  Ctrl-C ends it.
`);
    await untilStopped();
    console.log('Ending…');
    withdraw();
    await hosting.close();
    await stack.close();
    process.exit(0);
}
/** Waits for the first signal to stop; a second one no longer waits for anything. */
function untilStopped() {
    return new Promise((resolve) => {
        let asked = false;
        const stop = () => {
            if (asked)
                process.exit(1);
            asked = true;
            resolve();
        };
        process.on('SIGINT', stop);
        process.on('SIGTERM', stop);
        process.on('SIGHUP', stop);
    });
}
//# sourceMappingURL=start.js.map