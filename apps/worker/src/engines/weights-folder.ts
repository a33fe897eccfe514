/** The folder on which downloaded weights are kept, and what the log hears while they arrive. */
import { mkdir } from 'node:fs/promises';
import { WorkerError } from '../errors.ts';
import type { NoteListener } from './messages.ts';

/** Between two notes about a download. */
const NOTE_INTERVAL_MS = 10_000;

/** How far the files of one model are. */
interface WeightsProgress {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** @throws WorkerError `model_not_available` when there is no place for it */
export async function makeWeightsFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new WorkerError('model_not_available', 'The worker has no folder for its weights.', {
      cause: new Error(
        `FIREPOD_WEIGHTS_FOLDER ${folder} cannot be made; attach a network volume or name another folder`,
        { cause },
      ),
    });
  });
}

/** Tells the log of a model's download now and then. */
export function createDownloadNotes(
  model: string,
  onNote: NoteListener,
): (progress: WeightsProgress) => void {
  let notedAtMs = Number.NEGATIVE_INFINITY;
  return ({ file, receivedBytes, totalBytes }) => {
    if (performance.now() - notedAtMs < NOTE_INTERVAL_MS) return;
    notedAtMs = performance.now();
    onNote('Downloading weights.', { model, file, receivedBytes, totalBytes });
  };
}

/** The error for weights that did not come; the cause, which the log has, says which and why. */
export function weightsError(cause: Error): WorkerError {
  return new WorkerError(
    'model_not_available',
    'The weights of the model on the worker could not be fetched.',
    { cause },
  );
}
