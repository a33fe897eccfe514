/** Checks that a graph takes and gives what its pipeline uses, before anything is run. */

import { DiffusionError } from './errors.ts';
import type { OnnxSession } from './onnx-session.ts';

/** The inputs and outputs that a pipeline uses of one graph; a list within the outputs means any of them. */
export interface GraphSignature {
  readonly inputs: readonly string[];
  readonly outputs: readonly (string | readonly string[])[];
}

/** Throws `model_folder_invalid` naming what the graph lacks, `unsupported` naming an input that the pipeline cannot feed. */
export function assertGraphSignature(
  session: OnnxSession,
  label: string,
  { inputs, outputs }: GraphSignature,
  pipeline: string,
): void {
  const isOutput = (names: string | readonly string[]) =>
    [names].flat().some((name) => session.outputs.has(name));
  const lacking = [
    ...inputs.filter((name) => !session.inputs.has(name)).map((name) => `the input ${name}`),
    ...outputs.filter((names) => !isOutput(names)).map((names) => `the output ${[names].flat()[0]}`),
  ];
  if (lacking.length > 0) {
    throw new DiffusionError(
      'model_folder_invalid',
      `${label} lacks ${lacking.join(' and ')}; it has inputs ${[...session.inputs.keys()].join(', ')} and outputs ${[...session.outputs.keys()].join(', ')}.`,
    );
  }
  const unknown = [...session.inputs.keys()].find((name) => !inputs.includes(name));
  if (unknown) {
    throw new DiffusionError(
      'unsupported',
      `${label} needs the input ${unknown}, which ${pipeline} does not have.`,
    );
  }
}
