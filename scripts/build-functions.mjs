/**
 * Makes the folder that `firebase deploy` uploads, because it takes one folder and knows no workspaces: our code in one
 * file, and the two Firebase packages, which the runtime has to find as packages.
 */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeDeployedFolder } from './deployed-folder.mjs';
import { root } from './prepare.mjs';

const workspace = 'apps/functions';

/**
 * Other files in the folder stay: Firebase's CLI keeps there what it asked for.
 * @param {string} folder where to; made when it is not there
 * @throws {Error} when the sources do not bundle or npm cannot resolve the packages
 */
export async function buildFunctions(folder) {
  await makeDeployedFolder({
    workspace,
    folder,
    programs: { index: 'src/index.ts' },
    external: { 'firebase-admin': workspace, 'firebase-functions': workspace },
    manifest: { name: 'firepod-functions', main: 'index.js', engines: { node: '22' } },
  });
  const isParameters = (name) => /^\.env(\.|$)/.test(name) && !/\.(example|local)$/.test(name);
  for (const name of readdirSync(join(root, workspace)).filter(isParameters)) {
    copyFileSync(join(root, workspace, name), join(folder, name));
  }
}
