/**
 * Makes a clone runnable: installs the packages that package-lock.json names and builds the sources, each only when
 * stale. Uses Node alone, because it runs before anything is installed, and a lock, because two commands may start at once.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the clone. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const minimumNode = [20, 19];
const installMark = join(root, 'node_modules/.firepod-install.json');
const buildMark = join(root, '.cache/build.json');
const lockFolder = join(root, '.cache/prepare.lock');
const sourceFolders = ['packages', 'apps', 'dev'];
const buildOutputs = [
  'dev/dist/start.js',
  'apps/worker/dist/main.js',
  'apps/functions/dist/index.js',
  'apps/web/dist/index.html',
];

/**
 * @param {'packages' | 'run' | 'all'} needs `packages` installs what a running Firepod needs, `run` builds it too, `all`
 *   installs the tools of tests and checks as well.
 * @throws {Error} with a sentence when Node is too old, or the install or the build fails.
 */
export async function prepare(needs) {
  checkNode();
  const level = needs === 'all' ? 'all' : 'run';
  const isReady = () => needs === 'packages' || isBuilt();
  if (isInstalled(level) && isReady()) return;
  await withLock(() => {
    if (!isInstalled(level)) install(level);
    if (!isReady()) build();
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = minimumNode;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new Error(
    `Node ${process.versions.node} is too old: Firepod needs ${minimumNode.join('.')} or newer.`,
  );
}

function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function isInstalled(needs) {
  const mark = readJson(installMark);
  return mark?.lockfile === lockfileHash() && (mark.level === 'all' || mark.level === needs);
}

function install(needs) {
  // Tools that are there, by an earlier test run or by hand, are not taken away.
  const level = exists(join(root, 'node_modules/vitest')) ? 'all' : needs;
  console.log('Installing packages…');
  rmSync(installMark, { force: true });
  const args = [
    'ci',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
    ...(level === 'run' ? ['--omit=dev'] : []),
  ];
  runOrThrow('npm', args, 'npm could not install the packages; its message stands above.', npmCache());
  writeFileSync(installMark, JSON.stringify({ lockfile: lockfileHash(), level }));
}

/** npm stops when its cache cannot be written, as in containers whose home is read-only: then the cache is here. */
export function npmCache() {
  const usual = process.env.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(usual, { recursive: true });
    accessSync(usual, constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: join(root, '.cache/npm') };
  }
}

/** A digest of every source's path, size and time of change: cheap, and any edit changes it. */
function sourcesDigest() {
  const hash = createHash('sha256').update(lockfileHash()).update(process.version);
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (['node_modules', 'dist', 'fixtures'].includes(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        visit(path);
      } else if (!/\.test\.tsx?$|\.md$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}\0${size}\0${mtimeMs}\n`);
      }
    }
  };
  for (const folder of sourceFolders) visit(join(root, folder));
  return hash.update(readFileSync(join(root, 'tsconfig.base.json'))).digest('hex');
}

function isBuilt() {
  return hasOutputs() && readJson(buildMark)?.sources === sourcesDigest();
}

function hasOutputs() {
  return buildOutputs.every((file) => exists(join(root, file)));
}

function build() {
  const sources = sourcesDigest();
  console.log('Building…');
  rmSync(buildMark, { force: true });
  // The compiler goes by its own notes and does not miss an output that somebody deleted.
  const args = ['node_modules/typescript/bin/tsc', '-b', ...(hasOutputs() ? [] : ['--force'])];
  runOrThrow(process.execPath, args, 'The sources do not compile; the messages stand above.');
  const vite = ['node_modules/vite/bin/vite.js', 'build', 'apps/web', '--logLevel', 'warn'];
  runOrThrow(process.execPath, vite, 'The studio does not build; the messages stand above.');
  mkdirSync(dirname(buildMark), { recursive: true });
  writeFileSync(buildMark, JSON.stringify({ sources }));
}

function runOrThrow(program, args, message, env = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) throw new Error(message, { cause: result.error });
}

/** Holds a folder as the lock; one whose holder is no longer alive is taken over. */
async function withLock(work) {
  mkdirSync(dirname(lockFolder), { recursive: true });
  for (let waited = false; !tryLock() && !takeOverLock(); waited = true) {
    const holder = readHolder();
    if (!waited && holder) console.log(`Process ${holder} is preparing this clone; waiting for it…`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  try {
    work();
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

/** Making a folder is the one step that only one of many can do. */
function tryLock() {
  if (!tryMakeFolder(lockFolder)) return false;
  writeFileSync(join(lockFolder, 'pid'), String(process.pid));
  return true;
}

/**
 * Replaces an abandoned lock. Two that judge the same lock must not both remove one, or the second would remove the
 * first one's: a second folder, held for these few synchronous lines, lets one of them through.
 */
function takeOverLock() {
  if (!isAbandoned()) return false;
  const breaking = `${lockFolder}.breaking`;
  if (!tryMakeFolder(breaking)) {
    if (isOld(breaking)) rmSync(breaking, { recursive: true, force: true });
    return false;
  }
  try {
    if (!isAbandoned()) return false;
    rmSync(lockFolder, { recursive: true, force: true });
    return tryLock();
  } finally {
    rmdirSync(breaking);
  }
}

function isAbandoned() {
  const holder = readHolder();
  // No holder is named yet: the lock is being taken this moment, unless it is old.
  if (!holder) return isOld(lockFolder);
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return error.code !== 'EPERM'; // another user's process is alive all the same
  }
}

/** The process id in the lock; undefined while it is being taken or given back. */
function readHolder() {
  try {
    return Number(readFileSync(join(lockFolder, 'pid'), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isOld(folder) {
  const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && Date.now() - made > 5000;
}

function tryMakeFolder(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // absent or half-written: both mean "do it again"
  }
}

function exists(file) {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
