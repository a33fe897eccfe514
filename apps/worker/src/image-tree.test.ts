/** The worker's image without Docker: its instructions held against rules, followed, and the result run on its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLocalRunpod } from '@firepod/runpod/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDockerContext } from '../testing/docker-context.ts';
import { environmentOf, type Stage, textsOf } from '../testing/dockerfile.ts';
import { startTestFirebase, type TestFirebase } from '../testing/firebase.ts';
import { newGeneration, submit } from '../testing/generations.ts';
import { type ImageTree, layOutStage, readDockerfile } from '../testing/image-tree.ts';
import { environmentSchema } from './env.ts';

const API_KEY = 'test-key';
const clone = fileURLToPath(new URL('../../../', import.meta.url));
const stages = readDockerfile(new URL('../Dockerfile', import.meta.url));
const finals = stages.filter(({ instructions }) =>
  instructions.some(({ keyword }) => keyword === 'ENTRYPOINT'),
);

describe('the Dockerfile', () => {
  it('has an image for CPUs and one for CUDA, which comes when none is named', () => {
    expect(finals.map(({ name }) => name)).toEqual(['cpu', 'cuda']);
    expect(stages.at(-1)?.name).toBe('cuda');
    const providers = finals.map((stage) => environmentOf(stage)['FIREPOD_EXECUTION_PROVIDER']);
    expect(providers).toEqual(['cpu', 'cuda']);
  });

  it('names the version of every base image', () => {
    const own = new Set(stages.map(({ name }) => name));
    const bases = stages.map(({ base }) => base).filter((base) => !own.has(base));
    expect(bases.length).toBeGreaterThan(0);
    // All three numbers, because a shorter tag moves, or a digest where no tag stays.
    for (const base of bases) expect(base).toMatch(/:\d+\.\d+\.\d+-[\w.-]+$|:[\w.-]+@sha256:[0-9a-f]{64}$/);
    const node = bases.filter((base) => base.startsWith('node:'));
    expect(new Set(node).size).toBe(1);
  });

  it.each(finals)('runs the worker in $name itself, not as root and without a shell', (stage: Stage) => {
    expect(textsOf(stage, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(textsOf(stage, 'ENTRYPOINT').map((text) => JSON.parse(text))).toEqual([['node', 'app/main.js']]);
    expect(textsOf(stage, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(textsOf(stage, 'RUN')).toEqual([]);
    expect(environmentOf(stage)).toMatchObject({ NODE_ENV: 'production' });
  });

  it('sets nothing that the worker does not read, and no secret', () => {
    for (const stage of stages) {
      const { NODE_ENV: _, ...variables } = environmentOf(stage);
      expect(Object.keys(environmentSchema.shape)).toEqual(expect.arrayContaining(Object.keys(variables)));
      expect(Object.keys(variables).join()).not.toMatch(/KEY|SECRET|TOKEN|PASSWORD/);
      expect(textsOf(stage, 'ARG')).toEqual([]);
    }
  });

  it('has sd-server where its engine looks for it, for CUDA alone', () => {
    const [cpu, cuda] = finals as [Stage, Stage];
    const program = environmentOf(cuda)['FIREPOD_SD_SERVER'] ?? '';
    const copies = textsOf(cuda, 'COPY').map((text) => text.split(' '));
    expect(copies).toContainEqual(['/sd.cpp/bin', dirname(program)]);
    expect(copies).toContainEqual(['models/manifests', environmentOf(cuda)['FIREPOD_MANIFESTS_FOLDER']]);
    expect(environmentOf(cpu)).not.toHaveProperty('FIREPOD_SD_SERVER');
    expect(openDockerContext(clone).files()).toContain('models/manifests/sdxl-base-1.0.json');
  });

  it('fetches CUDA’s libraries as onnxruntime-node’s own script does, for the version that is installed', () => {
    const require = createRequire(import.meta.url);
    const folder = join(require.resolve('onnxruntime-node/package.json'), '..');
    const [command = ''] = textsOf(stages.find(({ name }) => name === 'build-cuda')!, 'RUN');
    const [, script = '', flavour = ''] =
      /onnxruntime-node\/(\S+) --onnxruntime-node-install=(\S+)/.exec(command) ?? [];
    expect(existsSync(join(folder, script))).toBe(true);
    const metadata = require(join(folder, 'script/install-metadata.js'));
    const files = Object.keys(metadata.manifests[`linux/x64:${flavour}`]).map((file) =>
      file.replace('./', ''),
    );
    expect(files).toEqual(
      expect.arrayContaining(['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so']),
    );
    for (const removed of command.match(/[\w.]+\.so$/gm) ?? []) expect(files).toContain(removed);
    expect(metadata.packages[`nuget:linux/x64:${flavour}`].versions[0].version).toBe(
      require('onnxruntime-node/package.json').version,
    );
  });
});

describe('the build context', () => {
  const context = openDockerContext(clone);

  it.each([
    '.env',
    'apps/worker/.env.local',
    'apps/functions/.env.my-app',
    'apps/functions/.secret.local',
    'service-account.json',
    'apps/worker/my-app-service-account.json',
    '.firepod/service-account.json',
    '.git/config',
    'node_modules/zod/package.json',
    'packages/contract/node_modules/x/index.js',
    'dist/worker/app/main.js',
    'packages/contract/dist/index.js',
    'models/work/denoiser.pt',
    'models/a-new-one/unet/model.onnx',
    'a-new-folder/file',
  ])('leaves out %s', (path) => {
    expect(context.isExcluded(path)).toBe(true);
  });

  it('has the manifest of every workspace, against which npm checks the lock', () => {
    const { packages } = JSON.parse(readFileSync(join(clone, 'package-lock.json'), 'utf8'));
    const workspaces = Object.values(packages as Record<string, { link?: boolean; resolved?: string }>)
      .filter(({ link }) => link)
      .map(({ resolved }) => `${resolved}/package.json`);
    expect(workspaces.length).toBeGreaterThan(5);
    for (const manifest of workspaces)
      expect({ manifest, excluded: context.isExcluded(manifest) }).toEqual({ manifest, excluded: false });
  });
});

describe('the image’s files, outside of the clone', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-image-'));
  const stage = finals[0]!;
  let tree: ImageTree;
  let firebase: TestFirebase;
  let runpod: Awaited<ReturnType<typeof startLocalRunpod>>;
  let worker: ChildProcess | undefined;
  beforeAll(async () => {
    chmodSync(folder, 0o755);
    tree = layOutStage(stages, stage.name, clone, folder);
    // What the image does not have must not be found by walking up either.
    for (const other of readdirSync(folder))
      if (other !== stage.name) rmSync(join(folder, other), { recursive: true });
    firebase = await startTestFirebase();
    runpod = await startLocalRunpod({ endpointId: 'local', apiKey: API_KEY });
  }, 120_000);
  afterAll(async () => {
    worker?.kill('SIGKILL');
    await runpod?.close();
    await firebase?.close();
    rmSync(folder, { recursive: true });
  }, 60_000);

  /** Starts what ENTRYPOINT says, as USER where this process may choose its user. */
  function startContainer(): { exitCode: Promise<number | null>; output: () => string } {
    const [program, ...args] = JSON.parse(textsOf(stage, 'ENTRYPOINT')[0]!) as string[];
    expect(program).toBe('node');
    const [uid, gid] = textsOf(stage, 'USER')[0]!.split(':').map(Number);
    const variables = Object.entries(environmentOf(stage)).map(([name, value]) => [
      name,
      // Lists of paths too.
      value.replaceAll(/(?<=^|:)(?=\/)/g, tree.root),
    ]);
    worker = spawn(process.execPath, args, {
      cwd: join(tree.root, tree.workingFolder),
      env: {
        ...Object.fromEntries(variables),
        ...firebase.environment,
        ...runpod.workerEnvironment(),
        FIREPOD_ENGINE_THREADS: '1',
      },
      ...(process.getuid?.() === 0 ? { uid: uid!, gid: gid! } : {}),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [worker.stdout!, worker.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const exitCode = new Promise<number | null>((resolve) => worker!.once('close', resolve));
    return { exitCode, output: () => output };
  }

  it('complete a job, and end in order when they are told to', async () => {
    const { exitCode, output } = startContainer();
    const generation = newGeneration('from-the-image', 'a red apple on a blue background');
    const document = await submit(firebase.firestore, generation);
    const response = await fetch(`${runpod.baseUrl}/local/runsync?wait=50000`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ input: { ...generation.input, num_inference_steps: 2 } }),
    });
    expect(await response.json(), output()).toMatchObject({ status: 'COMPLETED' });
    const completed = (await document.get()).data();
    expect(completed).toMatchObject({ status: 'completed', generation_data: { width: 128, height: 128 } });
    const [url] = completed!['generation_data'].image_urls;
    expect((await fetch(url)).headers.get('content-type')).toBe('image/png');
    worker!.kill('SIGTERM');
    expect(await exitCode, output()).toBe(0);
  });
});
