export { type AuthOptions, startAuth } from './auth/server.ts';
export { LocalFirebaseError, type LocalFirebaseErrorCode } from './errors.ts';
export type { ListenOptions, RunningServer } from './http-server.ts';
export type { Logger } from './logger.ts';
