/** The one error class of this package and its closed set of codes. */

/**
 * - `model_folder_invalid`: a file, config value, graph input or graph output of the model folder is missing or of the wrong kind.
 * - `unsupported`: the model or the request asks for something that this package does not implement.
 * - `invalid_request`: a value of the request is out of range for the loaded model.
 * - `execution_provider_unavailable`: ONNX Runtime cannot start the asked execution provider on this machine.
 * - `aborted`: the caller's AbortSignal fired; `cause` holds its reason.
 * - `out_of_memory`: ONNX Runtime could not allocate; the sessions are still usable with a smaller request.
 * - `inference_failed`: ONNX Runtime refused a run, or the model's output holds NaN or infinity.
 * - `download_failed`: a server refused or kept failing after retries; nothing was left under the file's name.
 * - `download_corrupt`: a download has another size or hash than promised; it was deleted.
 * - `disposed`: the pipeline was used after `dispose()`.
 */
export type DiffusionErrorCode =
  | 'model_folder_invalid'
  | 'unsupported'
  | 'invalid_request'
  | 'execution_provider_unavailable'
  | 'aborted'
  | 'out_of_memory'
  | 'inference_failed'
  | 'download_failed'
  | 'download_corrupt'
  | 'disposed';

/** Every error that this package throws on purpose; the message is a full sentence without secrets or stack traces. */
export class DiffusionError extends Error {
  override readonly name = 'DiffusionError';
  readonly code: DiffusionErrorCode;

  constructor(code: DiffusionErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** When the signal has fired: throws its reason if that is a DiffusionError, else `aborted` with the reason as cause. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) {
    if (signal.reason instanceof DiffusionError) throw signal.reason;
    throw new DiffusionError('aborted', 'The work was aborted by its caller.', {
      cause: signal.reason,
    });
  }
}
