/** The engine on `@firepod/diffusion`: SDXL and Wan on ONNX Runtime, from a folder in the diffusers ONNX layout. */
import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ModelCard, ResolvedRequest } from '@firepod/contract';
import { loadStableDiffusionXl, loadWan, ONNX_RUNTIME_VERSION, readPipelineKind } from '@firepod/diffusion';
import { WorkerError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type { Engine, GeneratedFrames, GenerateOptions, OnnxSettings } from './engine.ts';
import { modelDigest } from './model-digest.ts';
import { type PipelineConfig, readOnnxCard } from './onnx-card.ts';
import { loadErrorOf } from './onnx-errors.ts';
import { generateImages } from './onnx-images.ts';
import { generateVideo } from './onnx-video.ts';

/** One model that is on disk, and how to run it. */
export interface OnnxModelSettings extends Pick<OnnxSettings, 'executionProvider' | 'threads'> {
  /** The model's folder. */
  model: string;
  /** What it is called where it has no card; absent: as its folder. */
  name?: string;
}

/** A pipeline of either kind. */
interface LoadedPipeline {
  readonly config: PipelineConfig;
  generate(card: ModelCard, request: ResolvedRequest, options: GenerateOptions): Promise<GeneratedFrames>;
  dispose(): Promise<void>;
}

/** Loads the model, with the refiner in its subfolder `refiner/` if it has one. @throws WorkerError `model_not_available` with the reason as its cause */
export async function createOnnxEngine(settings: OnnxModelSettings): Promise<Engine> {
  const { model: folder, name = basename(folder) } = settings;
  const pipeline = await loadPipeline(settings).catch((error) => {
    throw loadErrorOf(error);
  });
  const card = await readOnnxCard(folder, pipeline.config, name);
  const description = {
    card,
    modelSha256: await modelDigest(folder),
    // Another release of the runtime may round differently, so that it belongs to a picture's recipe.
    engine: { name: 'onnx', version: `${VERSION}+onnxruntime.${ONNX_RUNTIME_VERSION}` },
  };
  return {
    describe: async () => description,
    generate: (request, options) => pipeline.generate(card, request, options),
    close: () => pipeline.dispose(),
  };
}

async function loadPipeline(settings: OnnxModelSettings): Promise<LoadedPipeline> {
  const { model: folder, executionProvider, threads } = settings;
  const options = { folder, executionProviders: [executionProvider], threads: threads ?? 0 };
  if ((await readPipelineKind(folder)) === 'wan') {
    const model = await loadWan(options);
    return {
      config: model.config,
      async generate(card, request, generateOptions) {
        if (request.task_type !== 'text2video') throw otherTaskError(request, model.config);
        return generateVideo(model, card, request, generateOptions);
      },
      dispose: () => model.dispose(),
    };
  }
  const model = await loadStableDiffusionXl({ ...options, ...(await refinerOption(folder)) });
  return {
    config: model.config,
    async generate(card, request, generateOptions) {
      if (request.task_type === 'text2video') throw otherTaskError(request, model.config);
      return generateImages(model, card, request, generateOptions);
    },
    dispose: () => model.dispose(),
  };
}

function otherTaskError({ task_type }: ResolvedRequest, { tasks }: PipelineConfig): WorkerError {
  return new WorkerError(
    'model_not_available',
    `task_type: ${task_type} cannot be made by the onnx engine; expected ${tasks.join(', ')}.`,
  );
}

async function refinerOption(folder: string): Promise<{ refinerFolder?: string }> {
  const refinerFolder = join(folder, 'refiner');
  const isThere = await access(join(refinerFolder, 'model_index.json')).then(
    () => true,
    () => false,
  );
  return isThere ? { refinerFolder } : {};
}
