/** Several models on ONNX Runtime in one engine: the first is loaded at once, each other one when a request needs it. */
import { join } from 'node:path';
import { descriptionFor, type Engine, type EngineDescription, type OnnxSettings } from './engine.ts';
import { modelDigest } from './model-digest.ts';
import { createOnnxEngine } from './onnx.ts';
import { readCardFile } from './onnx-card.ts';

/** A model that may not be loaded yet. */
interface LazyModel {
  description: EngineDescription;
  load(): Promise<Engine>;
  close(): Promise<void>;
}

/**
 * Loads `settings.model`; of `settings.furtherModels` it reads the cards, and loads at once only a model that has none.
 * @throws WorkerError `model_not_available` with the reason as its cause
 */
export async function createOnnxModels(settings: OnnxSettings): Promise<Engine> {
  const { furtherModels = [], ...own } = settings;
  const first = await createOnnxEngine(own);
  if (furtherModels.length === 0) return first;
  const description = await first.describe();
  const others: LazyModel[] = [];
  for (const model of furtherModels) others.push(await openModel({ ...own, model }, description.engine));

  const describe = async () => ({ ...description, others: others.map((other) => other.description) });
  return {
    describe,
    async generate(request, options) {
      const chosen = descriptionFor(await describe(), request.task_type);
      const other = others.find((each) => each.description === chosen);
      const engine = other ? await other.load() : first;
      options.signal.throwIfAborted();
      return engine.generate(request, options);
    },
    close: async () => void (await Promise.all([first, ...others].map((model) => model.close()))),
  };
}

async function openModel(settings: OnnxSettings, engine: EngineDescription['engine']): Promise<LazyModel> {
  const { model: folder } = settings;
  let loading: Promise<Engine> | undefined;
  const load = () => {
    loading ??= createOnnxEngine(settings);
    loading.catch(() => {
      loading = undefined; // memory may be free, or the folder whole, when it is tried again
    });
    return loading;
  };
  const card = await readCardFile(join(folder, 'model_card.json'));
  return {
    description: card
      ? { card, modelSha256: await modelDigest(folder), engine }
      : await (await load()).describe(),
    load,
    close: async () => void (await (await loading?.catch(() => undefined))?.close()),
  };
}
