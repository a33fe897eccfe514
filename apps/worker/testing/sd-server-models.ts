/** Manifests and weights for the scripted server: models whose weights say how its starts go. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SdServerSettings } from '../src/engines/engine.ts';

/** The scripted server's own weights file. */
interface ModelScript {
  /** What goes wrong at its first start, its second, and so on. */
  start?: (string | null)[];
  samplers?: string[];
}

/** One start of a server, as it noted it. */
interface ServerStart {
  pid: number;
  options: Record<string, string>;
  env: Record<string, string>;
  cwd: string;
}

/** A folder of manifests, and a hub that has their files. */
export interface SdServerModels {
  /** Writes an image model's manifest, or a video model's, and returns the settings that choose it. */
  add(id: string, task: 'image' | 'video', script?: ModelScript): void;
  settings(...ids: string[]): SdServerSettings;
  /** Every start of a model's server so far. */
  startsOf(id: string): ServerStart[];
  /** The bodies of its jobs. */
  jobsOf(id: string): Record<string, unknown>[];
  /** Paths that were fetched from the hub. */
  readonly fetched: string[];
  close(): Promise<void>;
}

/** Starts the hub on a free port. */
export async function createSdServerModels(): Promise<SdServerModels> {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-sd-models-'));
  const manifestsFolder = join(folder, 'manifests');
  const weightsFolder = join(folder, 'weights');
  mkdirSync(manifestsFolder);
  const files = new Map<string, string>();
  const fetched: string[] = [];
  const hub = createServer((request, response) => {
    fetched.push(request.url ?? '');
    const content = files.get(request.url ?? '');
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  const { port } = hub.address() as AddressInfo;

  const file = (role: string, path: string, content: string) => {
    files.set(`/${path}`, content);
    return {
      role,
      path,
      url: `http://127.0.0.1:${port}/${path}`,
      size_bytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
      licence: 'MIT',
    };
  };
  const readLines = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  };

  return {
    fetched,
    add(id, task, script = {}) {
      const isVideo = task === 'video';
      const manifest = {
        id,
        engine: 'sd-server',
        server: {
          mode: isVideo ? 'vid_gen' : 'img_gen',
          arguments: ['--diffusion-fa'],
          vram_gib: 8,
          ...(isVideo && { sampler: { sample_method: 'euler', scheduler: 'discrete', flow_shift: 3 } }),
        },
        files: [
          file(isVideo ? 'diffusion-model' : 'model', `${id}/model.safetensors`, JSON.stringify(script)),
          file('vae', `${id}/vae.safetensors`, `the vae of ${id}`),
        ],
        card: {
          id,
          name: id,
          version: '1',
          tasks: isVideo ? ['text2video'] : ['text2img', 'img2img', 'inpaint'],
          native_size: { width: 64, height: 64 },
          size_multiple: 64,
          frame_step: isVideo ? 4 : null,
          defaults: { scheduler: 'DPMSolverMultistep' },
          schedulers: isVideo ? [] : ['DPMSolverMultistep', 'K_EULER', 'KLMS'],
          licence: 'MIT',
        },
      };
      writeFileSync(join(manifestsFolder, `${id}.json`), JSON.stringify(manifest));
    },
    settings: (...models) => ({
      engine: 'sd-server',
      models,
      manifestsFolder,
      weightsFolder,
      program: fileURLToPath(new URL('./scripted-sd-server.mjs', import.meta.url)),
      vramGib: null,
    }),
    startsOf: (id) => readLines(join(weightsFolder, id, 'model.safetensors.starts')),
    jobsOf: (id) => readLines(join(weightsFolder, id, 'model.safetensors.jobs')),
    async close() {
      hub.closeAllConnections();
      await new Promise((resolve) => hub.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
