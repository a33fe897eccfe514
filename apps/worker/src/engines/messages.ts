/** The messages between the worker and its engine's child process, in both directions. */
import type { ResolvedRequest } from '@firepod/contract';
import type { WorkerErrorCode } from '../errors.ts';
import type {
  EngineDescription,
  EngineProgress,
  EngineSettings,
  EngineSources,
  GeneratedFrames,
} from './engine.ts';

/** From the worker to the child. `load` comes first and once, then one generation at a time; `leave` ends it. */
export type EngineCommand =
  | { type: 'load'; settings: EngineSettings }
  | { type: 'generate'; id: number; request: ResolvedRequest; sources?: EngineSources | undefined }
  | { type: 'abort'; id: number }
  | { type: 'leave' };

/** An error as it crosses the process boundary: a code and a sentence for the user, and what the log should say. */
export interface EngineFailure {
  code: WorkerErrorCode;
  message: string;
  detail: string;
}

/** What a note tells beside its sentence. */
type NoteFields = Readonly<Record<string, string | number>>;

/** A sentence for the worker's log, where the child has none: downloads, servers that died. */
export type NoteListener = (sentence: string, fields: NoteFields) => void;

/** From the child to the worker. `stopped` answers an `abort`; it is the last message of that generation. */
export type EngineEvent =
  | { type: 'loaded'; description: EngineDescription }
  | { type: 'load-failed'; failure: EngineFailure }
  | { type: 'note'; sentence: string; fields: NoteFields }
  | { type: 'progress'; id: number; progress: EngineProgress }
  | { type: 'generated'; id: number; result: GeneratedFrames }
  | { type: 'failed'; id: number; failure: EngineFailure }
  | { type: 'stopped'; id: number };
