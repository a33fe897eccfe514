export { connectClientApp, emulatorHosts, firebaseConfig } from './client-app.js';
export { portPlan } from './ports.js';
export { cloneFolder, startStack } from './stack.js';
export { startStudio } from './studio.js';
//# sourceMappingURL=index.js.map