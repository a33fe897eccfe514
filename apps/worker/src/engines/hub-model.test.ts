import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ResolvedRequest } from '@firepod/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubServer, startHubServer } from '../../../../packages/diffusion/fixtures/hub-server.ts';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { serveFolder } from '../../testing/served-model.ts';
import { programBeside } from '../child-program.ts';
import { describeThrown } from '../errors.ts';
import type { ModelPlace } from './engine.ts';
import { startEngineHost } from './host.ts';
import { createOnnxModels } from './onnx-models.ts';

const TINY_SDXL = fileURLToPath(new URL('../../../../models/tiny-sdxl', import.meta.url));
const MICRO_WAN = fileURLToPath(
  new URL('../../../../packages/diffusion/fixtures/micro-wan', import.meta.url),
);
const CPU = { engine: 'onnx', executionProvider: 'cpu', threads: 1 } as const;

const request: ResolvedRequest = {
  task_type: 'text2img',
  prompt: 'a red apple',
  negative_prompt: null,
  width: 64,
  height: 64,
  num_images: 1,
  num_inference_steps: 1,
  guidance_scale: 1,
  scheduler: 'DDIM',
  seed: 7,
  output_format: 'png',
};
const options = { signal: new AbortController().signal, onProgress: () => {} };

describe('the onnx engine with a model of the hub', () => {
  let hub: HubServer;
  let cacheFolder: string;
  beforeEach(async () => {
    hub = await startHubServer();
    cacheFolder = mkdtempSync(join(tmpdir(), 'firepod-hub-'));
  });
  afterEach(async () => {
    await hub.close();
    rmSync(cacheFolder, { recursive: true });
  });

  const place = (name = 'org/model', revision?: string): ModelPlace => ({
    repository: name,
    ...(revision && { revision }),
    cacheFolder,
    endpoint: hub.endpoint,
    token: 't0ken',
  });

  /** What the log of a worker says of a model that cannot be had. */
  async function problemOf(model: ModelPlace): Promise<string> {
    const engine = createOnnxModels({ ...CPU, model: TINY_SDXL, furtherModels: [model] });
    await expect(engine).rejects.toMatchObject({
      code: 'model_not_available',
      message: 'The weights of the model on the worker could not be fetched.',
    });
    return engine.then(() => '', describeThrown);
  }

  it('fetches it before it is ready, says so in the log, and paints with it', async () => {
    serveFolder(hub, TINY_SDXL);
    const logger = createCollectingLogger();
    const engine = startEngineHost({
      program: programBeside(import.meta.url, './child'),
      settings: { ...CPU, model: place() },
      abortGraceMs: 5000,
      logger,
    });
    expect((await engine.describe()).card.id).toBe('tiny-sdxl');
    const said = logger.lines.map(({ message, fields }) => ({ message, fields }));
    const totalBytes = expect.any(Number);
    expect(said).toContainEqual({
      message: 'Downloading weights.',
      fields: expect.objectContaining({ model: 'hf:org/model', totalBytes }),
    });
    expect(said).toContainEqual({
      message: 'The model is here.',
      fields: { model: 'hf:org/model', commit: hub.commit },
    });
    expect((await engine.generate(request, options)).frames).toHaveLength(1);
    await engine.close();
  }, 30_000);

  it('takes what is here when the hub is offline, and calls a model without a card by its name', async () => {
    serveFolder(hub, MICRO_WAN);
    const notes: string[] = [];
    const settings = { ...CPU, model: place('org/model', 'v1') };
    const describe = async () => {
      const engine = await createOnnxModels(settings, (sentence) => notes.push(sentence));
      const { card } = await engine.describe();
      await engine.close();
      return card;
    };
    expect(await describe()).toMatchObject({ id: 'model', tasks: ['text2video'] });
    hub.hubStatus = 503;
    const before = hub.requests.length;
    expect((await describe()).id).toBe('model');
    expect(hub.requests).toHaveLength(before + 1);
    expect(notes).toContain('Download of weights: hub not reachable; the cached model is used.');
  });

  it('names a repository that is not there, a revision, and a hub that cannot be reached', async () => {
    expect(await problemOf(place('org/absent'))).toMatch(
      /FIREPOD_MODEL hf:org\/absent: org\/absent@main cannot be read: it does not exist or the access token has no rights to it \(404\)/,
    );
    expect(await problemOf(place('org/model', 'gone'))).toContain('FIREPOD_MODEL hf:org/model@gone: ');
    await hub.close();
    expect(await problemOf(place())).toContain('org/model@main cannot be read: the hub cannot be reached');
    hub = await startHubServer();
  });

  it('names the files that a repository lacks, also of a model that is not loaded at once', async () => {
    serveFolder(hub, TINY_SDXL);
    hub.files.delete('unet/model.onnx');
    hub.files.delete('scheduler/scheduler_config.json');
    expect(await problemOf(place())).toMatch(
      /FIREPOD_MODEL hf:org\/model: .* is incomplete: it has no unet\/model\.onnx, no scheduler\/scheduler_config\.json/,
    );
  });

  it('names the folder for weights where there is no place for it', async () => {
    const file = join(cacheFolder, 'file');
    writeFileSync(file, readFileSync(join(TINY_SDXL, 'model_card.json')));
    const engine = createOnnxModels({
      ...CPU,
      model: { repository: 'org/model', cacheFolder: join(file, 'x') },
    });
    await expect(engine).rejects.toMatchObject({
      code: 'model_not_available',
      cause: { message: expect.stringMatching(/^FIREPOD_WEIGHTS_FOLDER .*\/x cannot be made/) },
    });
  });
});
