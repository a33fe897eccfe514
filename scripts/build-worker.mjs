/**
 * Makes the folder that the worker's image holds: its two programs (the worker, and the engine that it starts as a
 * child) as bundles, and the packages with native code, or with files that they look for beside their own.
 */
import { makeDeployedFolder } from './deployed-folder.mjs';

const workspace = 'apps/worker';

/**
 * @param {string} folder where to; made when it is not there
 * @throws {Error} when the sources do not bundle or npm cannot resolve the packages
 */
export function buildWorker(folder) {
  return makeDeployedFolder({
    workspace,
    folder,
    programs: { 'app/main': 'src/main.ts', 'app/engines/child': 'src/engines/child.ts' },
    external: {
      '@ffmpeg-installer/ffmpeg': workspace,
      'firebase-admin': workspace,
      'onnxruntime-node': 'packages/diffusion',
      sharp: workspace,
    },
    manifest: { name: 'firepod-worker', main: 'app/main.js', engines: { node: '22' } },
  });
}
