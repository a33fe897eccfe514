import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { serverCommand, serverEnvironment } from './command.ts';
import { readManifest } from './manifest.ts';
import type { LocalModel } from './weights.ts';

const SHIPPED = fileURLToPath(new URL('../../../../../models/manifests', import.meta.url));

test('Wan is started with its three files, the manifest’s options, and ours last', async () => {
  const model: LocalModel = {
    manifest: await readManifest('wan2.1-t2v-1.3b', SHIPPED),
    paths: new Map([
      ['diffusion-model', '/w/wan.safetensors'],
      ['vae', '/w/vae.safetensors'],
      ['t5xxl', '/w/umt5.gguf'],
    ]),
    sha256: '',
  };
  const options = { port: 4711, emptyFolder: '/tmp/empty', setpriv: '/nowhere' };
  const { program, arguments: given } = serverCommand('sd-server', model, options);
  expect([program, ...given].join(' ')).toBe(
    'sd-server --diffusion-model /w/wan.safetensors --vae /w/vae.safetensors --t5xxl /w/umt5.gguf --diffusion-fa ' +
      '--rng cpu --lora-model-dir /tmp/empty --hires-upscalers-dir /tmp/empty --listen-ip 127.0.0.1 --listen-port 4711',
  );
  if (process.platform !== 'linux') return;
  const guarded = serverCommand('sd-server', model, { ...options, setpriv: process.execPath });
  expect(guarded).toEqual({
    program: process.execPath,
    arguments: ['--pdeathsig', 'KILL', '--', 'sd-server', ...given],
  });
});

test('the server sees where libraries and devices are, and none of our keys', () => {
  const kept = {
    PATH: '/bin',
    LD_LIBRARY_PATH: '/lib',
    CUDA_VISIBLE_DEVICES: '0',
    NVIDIA_DRIVER_CAPABILITIES: 'compute',
  };
  const hidden = {
    FIREBASE_SERVICE_ACCOUNT_KEY: 'k',
    RUNPOD_AI_API_KEY: 'k',
    HF_TOKEN: 'k',
    NODE_OPTIONS: '-r x',
  };
  expect(serverEnvironment({ ...kept, ...hidden, EMPTY: undefined })).toEqual(kept);
});
