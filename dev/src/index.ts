export { connectClientApp } from './client-app.ts';
export { emulatorHosts, firebaseConfig } from './client-config.ts';
export { findBusyPorts, portPlan } from './ports.ts';
export {
  cloneFolder,
  type Stack,
  type StackAddresses,
  type StackOptions,
  shippedModelFolders,
  startStack,
} from './stack.ts';
export { startStudio } from './studio.ts';
