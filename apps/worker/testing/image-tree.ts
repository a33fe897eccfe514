/**
 * Follows a Dockerfile without Docker: each stage becomes a folder, in which WORKDIR, COPY and RUN do what they say. Base
 * images are not there: programs are those of this machine.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, posix } from 'node:path';
import { openDockerContext } from './docker-context.ts';
import { parseDockerfile, type Stage } from './dockerfile.ts';
import { linkFiles } from './linked-files.ts';

/** One stage's files. */
export interface ImageTree {
  /** The folder that is `/` in the image. */
  root: string;
  /** Of the last WORKDIR, a path in the image. */
  workingFolder: string;
}

/**
 * Makes the stage and those that it copies from. Nothing is fetched: packages are those that the clone has installed.
 * @param clone folder of the context
 * @throws Error for an instruction that is not followed here, and for a command that fails, with its output
 */
export function layOutStage(
  stages: readonly Stage[],
  name: string,
  clone: string,
  folder: string,
): ImageTree {
  const made = new Map<string, ImageTree>();

  function layOut(stageName: string): ImageTree {
    const stage = stages.find((each) => each.name === stageName);
    if (!stage) throw new Error(`There is no stage ${stageName}.`);
    const tree: ImageTree = { root: join(folder, stageName), workingFolder: '/' };
    made.set(stageName, tree);
    mkdirSync(tree.root, { recursive: true });
    for (const { keyword, flags, text } of stage.instructions) {
      if (keyword === 'WORKDIR') enter(tree, text);
      else if (keyword === 'COPY') copy(tree, flags['from'], text.split(' '));
      else if (keyword === 'RUN') run(tree, text, clone);
      else if (!['ENV', 'USER', 'STOPSIGNAL', 'ENTRYPOINT'].includes(keyword)) {
        throw new Error(`${keyword} is not followed here.`);
      }
    }
    return tree;
  }

  function enter(tree: ImageTree, path: string): void {
    tree.workingFolder = posix.resolve(tree.workingFolder, path);
    mkdirSync(join(tree.root, tree.workingFolder), { recursive: true });
  }

  function copy(tree: ImageTree, from: string | undefined, [source = '', target = '']: string[]): void {
    const destination = join(tree.root, posix.resolve(tree.workingFolder, target));
    if (from !== undefined) {
      const { root } = made.get(from) ?? layOut(from);
      linkFiles(join(root, source), destination);
      return;
    }
    const prefix = source === '.' ? '' : `${source}/`;
    for (const path of openDockerContext(clone).files()) {
      if (path.startsWith(prefix)) linkFiles(join(clone, path), join(destination, path.slice(prefix.length)));
    }
    if (source === '.') linkPackages(clone, destination);
  }

  return layOut(name);
}

/** As scripts/prepare.mjs marks packages that are installed. */
const INSTALL_MARK = '.firepod-install.json';

/** Spares the copy of the clone its minute of `npm ci`: the same packages, by links, but its own workspaces. */
function linkPackages(clone: string, copyOfClone: string): void {
  const target = join(copyOfClone, 'node_modules');
  mkdirSync(target);
  for (const name of readdirSync(join(clone, 'node_modules'))) {
    if (name === '@firepod' || name === INSTALL_MARK) continue;
    symlinkSync(join(clone, 'node_modules', name), join(target, name));
  }
  cpSync(join(clone, 'node_modules/@firepod'), join(target, '@firepod'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  const lockfile = createHash('sha256')
    .update(readFileSync(join(copyOfClone, 'package-lock.json')))
    .digest('hex');
  writeFileSync(join(target, INSTALL_MARK), JSON.stringify({ lockfile, level: 'all' }));
}

function run({ root, workingFolder }: ImageTree, command: string, clone: string): void {
  const cwd = join(root, workingFolder);
  const [, install, rest] = /^(npm ci \S[^&]*?)(?: && (.+))?$/.exec(command) ?? [];
  if (install === undefined) {
    runShell(command, cwd);
    return;
  }
  // Says no when manifest and lock do not agree, as the command itself would.
  runShell(`${install} --dry-run --offline`, cwd);
  linkLockedPackages(clone, cwd);
  if (rest !== undefined) runShell(rest, cwd);
}

/** What `npm ci` makes of a lock, where the clone has the same versions installed. */
function linkLockedPackages(clone: string, folder: string): void {
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  for (const [path, { version, optional }] of Object.entries<LockedPackage>(packages)) {
    if (path === '') continue;
    const manifest = readInstalled(join(clone, path));
    if (manifest === undefined && optional) continue; // for another system
    if (manifest?.version !== version) {
      throw new Error(`${path} is not installed here in version ${version}, as the lock has it.`);
    }
    linkFiles(realpathSync(join(clone, path)), join(folder, path), { except: 'node_modules' });
  }
}

interface LockedPackage {
  version: string;
  optional?: boolean;
}

function readInstalled(folder: string): { version: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  } catch {
    return undefined; // not installed
  }
}

function runShell(command: string, cwd: string): void {
  // An image is built without what `npm test` tells its children, such as this clone's own engine-strict.
  const inherited = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_'));
  const env = { ...Object.fromEntries(inherited), npm_config_update_notifier: 'false' };
  const { status, stdout, stderr, error } = spawnSync('sh', ['-c', command], { cwd, env, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`RUN ${command} ended with ${status}: ${stdout}${stderr}`, { cause: error });
  }
}

/** The stages of the file at `path`. */
export function readDockerfile(path: string | URL): Stage[] {
  return parseDockerfile(readFileSync(path, 'utf8'));
}
