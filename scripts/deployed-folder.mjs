/**
 * Makes a folder that runs apart from this clone: one workspace's code as a bundle, and a manifest and lock of the
 * packages that cannot be bundled, in the versions that are tested here.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultServerConditions, build as viteBuild } from 'vite';
import { npmCache, root } from './prepare.mjs';

/**
 * Other files in the folder stay.
 * @param {object} options
 * @param {string} options.workspace path from the root of the clone
 * @param {string} options.folder where to; made when it is not there
 * @param {Record<string, string>} options.programs output path without extension → source file
 * @param {Record<string, string>} options.external package → workspace (a path from the root) that pins its version
 * @param {object} options.manifest fields of package.json besides version, type and dependencies
 * @throws {Error} when the sources do not bundle or npm cannot resolve the packages
 */
export async function makeDeployedFolder({ workspace, folder, programs, external, manifest }) {
  mkdirSync(folder, { recursive: true });
  await bundle(join(root, workspace), folder, programs, Object.keys(external));
  const { version } = readJson(join(root, workspace, 'package.json'));
  const dependencies = Object.fromEntries(
    Object.entries(external).map(([name, pinnedBy]) => [name, pinnedVersion(name, pinnedBy)]),
  );
  const whole = { ...manifest, version, private: true, type: 'module', dependencies };
  writeJson(join(folder, 'package.json'), whole);
  lock(folder, whole);
}

async function bundle(workspace, folder, programs, external) {
  const conditions = ['source', ...defaultServerConditions];
  await viteBuild({
    configFile: false,
    root: workspace,
    logLevel: 'warn',
    resolve: { conditions },
    ssr: { noExternal: true, external, resolve: { conditions } },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      target: 'node22',
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        input: programs,
        output: { entryFileNames: '[name].js', chunkFileNames: 'app/[name].js' },
      },
    },
  });
}

function pinnedVersion(name, workspace) {
  return readJson(join(root, workspace, 'package.json')).dependencies[name];
}

/** npm keeps the versions of a lock that it finds, so it begins with the clone's and takes out what is not needed. */
function lock(folder, { name, version, engines, dependencies }) {
  const { packages, ...head } = readJson(join(root, 'package-lock.json'));
  const installed = Object.entries(packages).filter(
    ([path, { link }]) => path.startsWith('node_modules/') && !link,
  );
  writeJson(join(folder, 'package-lock.json'), {
    ...head,
    name,
    version,
    packages: { '': { name, version, engines, dependencies }, ...Object.fromEntries(installed) },
  });
  // The manifest names the runtime's Node, which this machine need not have.
  const args = ['install', '--package-lock-only', '--no-engine-strict', '--no-audit', '--no-fund'];
  const { status, error } = spawnSync('npm', [...args, '--prefer-offline', '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, ...npmCache() },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) {
    throw new Error(`npm could not make the lock of ${name}; its message stands above.`, { cause: error });
  }
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}
