/**
 * Makes a clone runnable: installs the packages that package-lock.json names and builds the sources, each only when
 * stale. Uses Node alone, because it runs before anything is installed, and a lock, because two commands may start at once.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
 * @param {'run' | 'all'} needs `run` installs what a running Firepod needs, `all` the tools of tests and checks too.
 * @throws {Error} with a sentence when Node is too old, or the install or the build fails.
 */
export async function prepare(needs) {
  checkNode();
  if (isInstalled(needs) && isBuilt()) return;
  await withLock(() => {
    if (!isInstalled(needs)) install(needs);
    if (!isBuilt()) build();
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
  const args = [
    'ci',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...(level === 'run' ? ['--omit=dev'] : []),
  ];
  runOrThrow('npm', args, 'npm could not install the packages; its message stands above.');
  writeFileSync(installMark, JSON.stringify({ lockfile: lockfileHash(), level }));
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
      } else if (!/\.test\.tsx?$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}\0${size}\0${mtimeMs}\n`);
      }
    }
  };
  for (const folder of sourceFolders) visit(join(root, folder));
  return hash.update(readFileSync(join(root, 'tsconfig.base.json'))).digest('hex');
}

function isBuilt() {
  return (
    readJson(buildMark)?.sources === sourcesDigest() && buildOutputs.every((file) => exists(join(root, file)))
  );
}

function build() {
  const sources = sourcesDigest();
  console.log('Building…');
  runOrThrow(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-b'],
    'The sources do not compile; the messages stand above.',
  );
  const vite = ['node_modules/vite/bin/vite.js', 'build', 'apps/web', '--logLevel', 'warn'];
  runOrThrow(process.execPath, vite, 'The studio does not build; the messages stand above.');
  mkdirSync(dirname(buildMark), { recursive: true });
  writeFileSync(buildMark, JSON.stringify({ sources }));
}

function runOrThrow(program, args, message) {
  const result = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status !== 0) throw new Error(message, { cause: result.error });
}

/** Holds a folder as the lock; one whose holder is no longer alive is taken over. */
async function withLock(work) {
  mkdirSync(dirname(lockFolder), { recursive: true });
  const holderFile = join(lockFolder, 'pid');
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(lockFolder);
      writeFileSync(holderFile, String(process.pid));
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (isAbandoned(holderFile)) {
        rmSync(lockFolder, { recursive: true, force: true });
        continue;
      }
      if (!waited) console.log('Another command is preparing this clone; waiting for it…');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    work();
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

function isAbandoned(holderFile) {
  try {
    process.kill(Number(readFileSync(holderFile, 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'EPERM') return false;
    // No holder is named yet: the lock is being taken this moment, unless it is old.
    if (error.code === 'ENOENT')
      return Date.now() - (statSync(lockFolder, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 5000;
    return true;
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
