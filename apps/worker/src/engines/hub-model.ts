/** Models of the Hugging Face hub for the onnx engine: fetched to the weights folder before the engine is ready. */
import { basename } from 'node:path';
import {
  checkModelFolder,
  type DiffusionLogger,
  downloadHubModel,
  type HubDownload,
} from '@firepod/diffusion';
import { formatHubName } from './hub-name.ts';
import type { NoteListener } from './messages.ts';
import { createDownloadNotes, makeWeightsFolder, weightsError } from './weights-folder.ts';

/** A model on disk. */
interface FetchedModel {
  folder: string;
  /** The second half of `owner/name`: what it is called where it has no card. */
  name: string;
}

/**
 * Makes sure that the model is on the weights folder and whole; workers that share the folder fetch each file once, and what
 * an earlier one began is finished.
 * @throws WorkerError `model_not_available` whose cause begins with the model's name
 */
export async function fetchHubModel(download: HubDownload, onNote: NoteListener): Promise<FetchedModel> {
  const model = formatHubName(download);
  await makeWeightsFolder(download.cacheFolder);
  try {
    const { folder, commit } = await downloadHubModel(download, {
      // Nobody waits for a part of it: the engine's process ends with the worker, and the next one goes on from there.
      signal: new AbortController().signal,
      onProgress: createDownloadNotes(model, onNote),
      logger: noteLogger(model, onNote),
    });
    await checkModelFolder(folder);
    onNote('The model is here.', { model, commit });
    return { folder, name: basename(download.repository) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw weightsError(new Error(`FIREPOD_MODEL ${model}: ${reason}`, { cause }));
  }
}

/** What went wrong on the way and was overcome is for the log. */
function noteLogger(model: string, onNote: NoteListener): DiffusionLogger {
  const note: DiffusionLogger['warn'] = (fields, message) => {
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    onNote(`Download of weights: ${message}.`, { ...Object.fromEntries(texts), model });
  };
  return { debug: () => {}, info: () => {}, warn: note, error: note };
}
