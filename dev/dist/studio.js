/** The studio of a stack: the built web app, served with the configuration that Hosting gives in production. */
import { join } from 'node:path';
import { startHosting } from '@firepod/local-firebase';
import { emulatorHosts, firebaseConfig } from './client-app.js';
import { createConsoleLogger } from './console-logger.js';
import { cloneFolder } from './stack.js';
export function startStudio(stack) {
    return startHosting({
        host: stack.host,
        port: stack.ports.web,
        folder: join(cloneFolder, 'apps/web/dist'),
        firebaseConfig: firebaseConfig(stack),
        emulatorHosts: emulatorHosts(stack),
        logger: createConsoleLogger('warn'),
    });
}
//# sourceMappingURL=studio.js.map