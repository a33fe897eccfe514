/** Firebase's services on this machine, each startable alone; they speak the wire protocols of the vendor's SDKs. */
export { type AuthOptions, startAuth } from './auth/server.ts';
export { LocalFirebaseError, type LocalFirebaseErrorCode } from './errors.ts';
export { type ExportFiles, exportStore, importStore } from './firestore/export-store.ts';
export type { IndexesFile } from './firestore/indexes/indexes-file.ts';
export { type FirestoreOptions, type FirestoreServer, startFirestore } from './firestore/server.ts';
export {
  type FunctionsHostOptions,
  type HostedFunction,
  type RunningFunctionsHost,
  startFunctionsHost,
} from './functions/host.ts';
export { type DeclaredParameter, parameterDefaults } from './functions/parameter-defaults.ts';
export type { EmulatorHosts } from './hosting/firebase-defaults.ts';
export { type HostingOptions, startHosting } from './hosting/server.ts';
export type { ListenOptions, RunningServer } from './http-server.ts';
export type { Logger } from './logger.ts';
export type { DocumentReader, RulesDocument } from './rules/firestore-values.ts';
export type { RulesSource } from './rules/live-rules.ts';
export type { BucketSettings, CorsRule, ObjectAccessControl } from './storage/buckets.ts';
export { type RunningStorage, type StorageOptions, startStorage } from './storage/server.ts';
export type { ServiceAccount } from './storage/signed-urls.ts';
