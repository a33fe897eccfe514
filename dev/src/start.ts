/** `npm start`: all of Firepod on this machine, until Ctrl-C. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { settingsFrom } from './env.ts';
import { findBusyPorts, type Ports, portPlan } from './ports.ts';
import { cloneFolder, host, startStack } from './stack.ts';
import { announceStack, findRunningStack } from './stack-file.ts';
import { listenForStop, untilAborted } from './stop-signals.ts';

const usage = `npm start -- [--port-offset N] [--data FOLDER]

  --port-offset N   adds N to every port
  --data FOLDER     keeps data, secrets and logs there instead of .firepod`;

const startedAt = performance.now();
await main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

async function main(): Promise<void> {
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
  const signal = listenForStop();
  const ports = portPlan({ offset: parseOffset(values['port-offset']) });
  const dataFolder = resolve(values.data);
  const settings = settingsFrom(process.env);
  await refuseSecondStart(dataFolder);
  await refuseBusyPorts(ports);

  const starting = startStack({ dataFolder, ports, ...settings, signal, onTrouble: console.error });
  // Loaded while the services start: what a web server needs takes as long to load as one of them.
  const [stack, { startStudio }] = await Promise.all([starting, import('./studio.ts')]);
  try {
    const studio = await startStudio(stack);
    const withdraw = announceStack(dataFolder, stack);
    console.log(`
  Firepod is ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s

  Studio     ${studio.url}
  Model      ${settings.models.join('\n             ')}
  Data       ${dataFolder}   (logs in ${join(dataFolder, 'logs')})

  Clients may do what firebase/*.rules let them: saving one is enough to try it.
  Ctrl-C ends it.
`);
    await untilAborted(signal);
    console.log('Ending…');
    withdraw();
    await studio.close();
  } finally {
    await stack.close();
  }
}

function parseOffset(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 50_000) return Number(text);
  throw new Error(`--port-offset: "${text}" is not allowed; expected a whole number from 0 to 50000.`);
}

async function refuseSecondStart(dataFolder: string): Promise<void> {
  const running = await findRunningStack(dataFolder);
  if (running === undefined) return;
  const { host: runningHost, ports, pid } = running;
  throw new Error(
    `Firepod already runs from ${dataFolder}: http://${runningHost}:${ports.web} (pid ${pid}).`,
  );
}

async function refuseBusyPorts(ports: Ports): Promise<void> {
  const busy = await findBusyPorts(ports, host);
  if (busy.length === 0) return;
  const lines = busy.map(
    ({ service, port, holder }) =>
      `  port ${port}, wanted for ${service}, is held by ${holder ?? 'another process'}`,
  );
  throw new Error(
    `Some ports are not free:\n${lines.join('\n')}\nEnd those processes, or move all ports: npm start -- --port-offset 200`,
  );
}
