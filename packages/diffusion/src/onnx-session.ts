/** The only door to ONNX Runtime: opens graphs, feeds them in their own dtypes, and turns its failures into DiffusionErrors. */

import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { DiffusionError } from './errors.ts';
import type { FloatTensor } from './tensor.ts';
import { castFeed, castOutput, type FeedTensor, type TensorDeclaration } from './tensor-cast.ts';

/** The execution providers that this package offers. */
export type ExecutionProvider = 'cpu' | 'cuda';

/** The version of ONNX Runtime that computes here: another one may round differently, so a recipe for a picture names it. */
export const ONNX_RUNTIME_VERSION: string = env.versions.node ?? env.versions.common;

/** How graphs run. */
export interface OnnxSessionOptions {
  /** Threads within an operator; 0 or absent lets ONNX Runtime take one per physical core. */
  readonly threads?: number | undefined;
  /** In order of preference. One that cannot load is an error, also when another follows. */
  readonly executionProviders: readonly ExecutionProvider[];
}

/** One loaded graph. `run` blocks the thread while it computes (measured: the timer gap equals the run), so yield between runs. */
export interface OnnxSession {
  readonly inputs: ReadonlyMap<string, TensorDeclaration>;
  readonly outputs: ReadonlyMap<string, TensorDeclaration>;
  /** Runs the graph for the named outputs, as float32. Feeds that the graph does not declare are left out. */
  run<Name extends string>(
    feeds: Readonly<Record<string, FeedTensor>>,
    outputNames: readonly Name[],
  ): Promise<Record<Name, FloatTensor>>;
  release(): Promise<void>;
}

// The runtime would print to stderr what it also throws; this package is silent and throws it with the file's name.
env.logLevel = 'fatal';

/** ModelProto of a graph `y = Identity(x)`, opset 13: the smallest thing that makes a provider load. */
const PROBE_GRAPH = Buffer.from(
  'CAg6MwoQCgF4EgF5IghJZGVudGl0eRIFcHJvYmVaCwoBeBIGCgQIARIAYgsKAXkSBgoECAESAEIECgAQDQ==',
  'base64',
);

/** Proves that every provider starts here; throws `execution_provider_unavailable` naming the one that does not. */
export async function probeExecutionProviders(providers: readonly ExecutionProvider[]): Promise<void> {
  for (const provider of providers) {
    try {
      const session = await InferenceSession.create(PROBE_GRAPH, {
        executionProviders: [provider],
        logSeverityLevel: 4,
      });
      await session.release();
    } catch (cause) {
      throw new DiffusionError(
        'execution_provider_unavailable',
        `The execution provider "${provider}" cannot start on this machine: ${firstLine(cause)}`,
        { cause },
      );
    }
  }
}

/**
 * Opens a graph by its path, so that external data beside it is found. `label` names it in errors ("unet/model.onnx").
 * Throws `model_folder_invalid` when it cannot be loaded, `unsupported` for float16 inputs on a Node that cannot feed them.
 */
export async function openOnnxSession(
  path: string,
  label: string,
  options: OnnxSessionOptions,
): Promise<OnnxSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(path, {
      executionProviders: [...options.executionProviders],
      intraOpNumThreads: options.threads ?? 0,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
  } catch (cause) {
    throw runtimeError(cause, 'model_folder_invalid', `${label} could not be loaded`);
  }
  const inputs = declarations(session.inputMetadata);
  const outputs = declarations(session.outputMetadata);
  const halfInput = [...inputs.values()].find((input) => input.type === 'float16');
  if (halfInput && 'Float16Array' in globalThis) {
    await session.release();
    throw new DiffusionError(
      'unsupported',
      `${label} takes float16 in ${halfInput.name}, which onnxruntime-node cannot be given on Node ${process.version}; use Node 20 or 22, or an export with float32 inputs.`,
    );
  }

  return {
    inputs,
    outputs,
    async run(feeds, outputNames) {
      const tensors: Record<string, Tensor> = {};
      for (const declaration of inputs.values()) {
        const feed = feeds[declaration.name];
        if (!feed)
          throw new DiffusionError(
            'unsupported',
            `${label} needs the input ${declaration.name}, which is not known.`,
          );
        const { type, data, dims } = castFeed(feed, declaration);
        tensors[declaration.name] = new Tensor(type, data as Float32Array, dims);
      }
      let results: InferenceSession.ReturnType;
      try {
        results = await session.run(tensors, [...outputNames]);
      } catch (cause) {
        throw runtimeError(cause, 'inference_failed', `${label} failed to run`);
      }
      const entries = outputNames.map((name) => {
        const { type, data, dims } = results[name] as Tensor;
        return [name, { data: castOutput(name, type, data), dims }] as const;
      });
      return Object.fromEntries(entries) as Record<(typeof outputNames)[number], FloatTensor>;
    },
    release: () => session.release(),
  };
}

function declarations(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, TensorDeclaration> {
  const tensors = metadata.filter((value) => value.isTensor);
  return new Map(tensors.map(({ name, type, shape }) => [name, { name, type, shape }]));
}

/** ONNX Runtime throws plain errors: allocation failures are told apart by their text, the rest keep the given code. */
function runtimeError(
  cause: unknown,
  code: 'model_folder_invalid' | 'inference_failed',
  what: string,
): DiffusionError {
  const text = firstLine(cause);
  const isMemory =
    /bad_alloc|failed to allocate|out of memory|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i.test(
      text,
    );
  return new DiffusionError(isMemory ? 'out_of_memory' : code, `${what}: ${text}`, { cause });
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0]!.trim();
}
