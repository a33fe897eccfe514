/** `@firepod/client`: generations for an app, over the Firebase web SDK. */
export type {
  CancelResult,
  GenerationReference,
  GenerationRequest,
  MediaType,
  Problem,
  Progress,
  Status,
} from '@firepod/contract';
export { FirepodError, type FirepodErrorCode } from './errors.ts';
export {
  createFirepodClient,
  type FirepodClient,
  type FirepodClientOptions,
  type SubmitOptions,
} from './firepod-client.ts';
export type { CompletedFirepodGeneration, FirepodGeneration } from './generation.ts';
export type { ListOptions } from './list-generations.ts';
export type { WaitOptions } from './wait-for-completion.ts';
