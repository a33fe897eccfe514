/** Models on ONNX Runtime in one engine: all are there before it is ready; the first is loaded at once, others when needed. */
import { join } from 'node:path';
import {
  descriptionFor,
  type Engine,
  type EngineDescription,
  type ModelPlace,
  type OnnxSettings,
} from './engine.ts';
import { fetchHubModel } from './hub-model.ts';
import type { NoteListener } from './messages.ts';
import { modelDigest } from './model-digest.ts';
import { createOnnxEngine, type OnnxModelSettings } from './onnx.ts';
import { readCardFile } from './onnx-card.ts';

/** A model that may not be loaded yet. */
interface LazyModel {
  description: EngineDescription;
  load(): Promise<Engine>;
  close(): Promise<void>;
}

/**
 * Fetches the models that are on the hub, and loads `settings.model`; of `settings.furtherModels` it reads the cards, and
 * loads at once only a model that has none.
 * @throws WorkerError `model_not_available` with the reason as its cause
 */
export async function createOnnxModels(
  { model, furtherModels = [], executionProvider, threads }: OnnxSettings,
  onNote: NoteListener = () => {},
): Promise<Engine> {
  const settingsOf = async (place: ModelPlace): Promise<OnnxModelSettings> => {
    const shared = { executionProvider, threads };
    if (typeof place === 'string') return { ...shared, model: place };
    const { folder, name } = await fetchHubModel(place, onNote);
    return { ...shared, model: folder, name };
  };
  const own = await settingsOf(model);
  // One after the other, and before anything is loaded: loading holds the thread that downloads.
  const further: OnnxModelSettings[] = [];
  for (const place of furtherModels) further.push(await settingsOf(place));

  const first = await createOnnxEngine(own);
  if (further.length === 0) return first;
  const description = await first.describe();
  const others: LazyModel[] = [];
  for (const other of further) others.push(await openModel(other, description.engine));

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

async function openModel(
  settings: OnnxModelSettings,
  engine: EngineDescription['engine'],
): Promise<LazyModel> {
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
