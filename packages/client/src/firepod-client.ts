/** The client of an app: ask for generations, follow them, list them, cancel them. */
import {
  CALLABLES,
  type CancelResult,
  FUNCTIONS_REGION,
  type GenerationReference,
  type GenerationRequest,
} from '@firepod/contract';
import type { FirebaseApp } from 'firebase/app';
import { type Auth, getAuth } from 'firebase/auth';
import { type Firestore, getFirestore } from 'firebase/firestore';
import { type Functions, getFunctions, httpsCallable } from 'firebase/functions';
import type { FirepodError } from './errors.ts';
import { fromFunctionsError } from './firebase-errors.ts';
import { type CompletedFirepodGeneration, type FirepodGeneration, referenceTo } from './generation.ts';
import { type ListOptions, listGenerations } from './list-generations.ts';
import { uploadSource } from './upload-source.ts';
import { type WaitOptions, waitForCompletion } from './wait-for-completion.ts';
import { watchGeneration } from './watch-generation.ts';

/**
 * An initialised Firebase app (its Firestore as the app set it up; the functions of the contract's region), or the three
 * services themselves.
 */
export type FirepodClientOptions =
  | { readonly app: FirebaseApp }
  | { readonly auth: Auth; readonly firestore: Firestore; readonly functions: Functions };

/** What `submit` takes beside the request. */
export interface SubmitOptions {
  /**
   * 8 to 64 letters, digits, `_` or `-`: the same id submitted again within a day gives the same generation, so that a
   * call whose answer was lost can be repeated.
   */
  readonly requestId?: string | undefined;
}

/** Every promise rejects with, and every `onError` gets, a `FirepodError`. */
export interface FirepodClient {
  /** Asks for a generation; resolves when it is queued. Needs a signed-in user. */
  submit(request: GenerationRequest, options?: SubmitOptions): Promise<GenerationReference>;
  /**
   * Uploads a PNG, JPEG or WebP of at most 20 MB to start from; resolves with the address for `image_url` or `mask_url`.
   * Needs a signed-in user. It goes to the Storage of the app that `auth` belongs to.
   */
  uploadSource(picture: Blob): Promise<string>;
  /** Cancels a generation; harmless when it has ended or was cancelled already. */
  cancel(reference: GenerationReference): Promise<CancelResult>;
  /**
   * Calls `onChange` with the generation now and after each change; null when it was deleted. One that does not exist
   * yet is waited for. Returns what ends it.
   */
  watch(
    reference: GenerationReference,
    onChange: (generation: FirepodGeneration | null) => void,
    onError: (error: FirepodError) => void,
  ): () => void;
  /** Calls `onChange` with the user's newest generations, newest first, now and after each change. Returns what ends it. */
  list(
    options: ListOptions,
    onChange: (generations: readonly FirepodGeneration[]) => void,
    onError: (error: FirepodError) => void,
  ): () => void;
  /** Resolves with the completed generation; rejects with its `error_code` when it fails. */
  waitForCompletion(
    reference: GenerationReference,
    options?: WaitOptions,
  ): Promise<CompletedFirepodGeneration>;
}

/** Holds no connection of its own: there is nothing to close. */
export function createFirepodClient(options: FirepodClientOptions): FirepodClient {
  const { auth, firestore, functions } = 'functions' in options ? options : servicesOf(options.app);

  async function call<Result>(name: string, data: unknown): Promise<Result> {
    try {
      return (await httpsCallable<unknown, Result>(functions, name)(data)).data;
    } catch (thrown) {
      throw fromFunctionsError(thrown);
    }
  }

  return {
    async submit(request, { requestId } = {}) {
      const data = requestId === undefined ? request : { ...request, request_id: requestId };
      const { path } = await call<GenerationReference>(CALLABLES.submit, data);
      return referenceTo(path);
    },
    uploadSource: (picture) => uploadSource(auth, picture),
    cancel: ({ file_uid, media_type }) => call<CancelResult>(CALLABLES.cancel, { file_uid, media_type }),
    watch: (reference, onChange, onError) => watchGeneration(firestore, reference, onChange, onError),
    list: (listOptions, onChange, onError) =>
      listGenerations({ auth, firestore }, listOptions, onChange, onError),
    waitForCompletion: (reference, waitOptions) => waitForCompletion(firestore, reference, waitOptions),
  };
}

function servicesOf(app: FirebaseApp) {
  return { auth: getAuth(app), firestore: getFirestore(app), functions: getFunctions(app, FUNCTIONS_REGION) };
}
