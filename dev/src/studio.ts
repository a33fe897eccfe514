/** The studio of a stack: the built web app, served with the configuration that Hosting gives in production. */
import { join } from 'node:path';
import { type RunningServer, startHosting } from '@firepod/local-firebase';
import { emulatorHosts, firebaseConfig } from './client-config.ts';
import { createConsoleLogger } from './console-logger.ts';
import { cloneFolder, type StackAddresses } from './stack.ts';

export function startStudio(stack: StackAddresses): Promise<RunningServer> {
  return startHosting({
    host: stack.host,
    port: stack.ports.web,
    folder: join(cloneFolder, 'apps/web/dist'),
    firebaseConfig: firebaseConfig(stack),
    emulatorHosts: emulatorHosts(stack),
    logger: createConsoleLogger('warn'),
  });
}
