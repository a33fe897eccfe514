/**
 * Makes the folder that `firebase deploy` uploads, because it takes one folder and knows no workspaces: our code in one
 * file, and the two Firebase packages, which the runtime has to find as packages, named with their exact versions.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultServerConditions, build as viteBuild } from 'vite';
import { npmCache, root } from './prepare.mjs';

const workspace = join(root, 'apps/functions');
const external = ['firebase-admin', 'firebase-functions'];

/**
 * Other files in the folder stay: Firebase's CLI keeps there what it asked for.
 * @param {string} folder where to; made when it is not there
 * @throws {Error} when the sources do not bundle or npm cannot resolve the packages
 */
export async function buildFunctions(folder) {
  mkdirSync(folder, { recursive: true });
  await bundle(folder);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(deployedManifest(), null, 2)}\n`);
  lock(folder);
  const isParameters = (name) => /^\.env(\.|$)/.test(name) && !/\.(example|local)$/.test(name);
  for (const name of readdirSync(workspace).filter(isParameters)) {
    copyFileSync(join(workspace, name), join(folder, name));
  }
}

async function bundle(folder) {
  const conditions = ['source', ...defaultServerConditions];
  await viteBuild({
    configFile: false,
    root: workspace,
    logLevel: 'warn',
    resolve: { conditions },
    ssr: { noExternal: true, external, resolve: { conditions } },
    build: {
      ssr: 'src/index.ts',
      outDir: folder,
      emptyOutDir: false,
      target: 'node22',
      minify: false,
      sourcemap: true,
      rolldownOptions: { output: { entryFileNames: 'index.js', codeSplitting: false } },
    },
  });
}

function deployedManifest() {
  const { version, dependencies } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'));
  return {
    name: 'firepod-functions',
    version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: { node: '22' },
    dependencies: Object.fromEntries(external.map((name) => [name, dependencies[name]])),
  };
}

/** Google's build installs by the lock; without one, each deployment could get other versions. */
function lock(folder) {
  // The manifest names the runtime's Node, which this machine need not have.
  const args = ['install', '--package-lock-only', '--no-engine-strict', '--no-audit', '--no-fund'];
  const { status, error } = spawnSync('npm', [...args, '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, ...npmCache() },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) {
    throw new Error('npm could not make the lock of the functions; its message stands above.', {
      cause: error,
    });
  }
}
