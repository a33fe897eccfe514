/**
 * Preparing a clone, as every command does: real processes, real `npm ci`, in a small clone whose path has spaces. Its
 * compiler is a program of a few lines that, like the real one, goes by a note of its own and not by its outputs.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const compiler = `
const { existsSync, mkdirSync, writeFileSync, rmSync } = require('node:fs');
const write = (file, text) => { mkdirSync(require('node:path').dirname(file), { recursive: true }); writeFileSync(file, text); };
if (process.env.FIXTURE_COMPILER === 'fails') process.exit(2);
if (process.argv.includes('--force') || !existsSync('note') || process.env.FIXTURE_COMPILER) {
  rmSync('note', { force: true });
  if (process.env.FIXTURE_COMPILER === 'hangs') { console.log('hanging'); setInterval(() => {}, 1000); return; }
  write('dev/dist/start.js', 'console.log("started");');
  for (const file of ['apps/worker/dist/main.js', 'apps/functions/dist/index.js']) write(file, '');
  write('note', '');
}`;
const bundler = `
require('node:fs').mkdirSync('apps/web/dist', { recursive: true });
require('node:fs').writeFileSync('apps/web/dist/index.html', '');`;
const files = {
  'package.json': JSON.stringify({
    name: 'clone',
    private: true,
    dependencies: { typescript: 'file:parts/typescript', vite: 'file:parts/vite' },
    devDependencies: { vitest: 'file:parts/vitest' },
  }),
  'parts/typescript/package.json': '{"name":"typescript","version":"1.0.0"}',
  'parts/typescript/bin/tsc': compiler,
  'parts/vite/package.json': '{"name":"vite","version":"1.0.0"}',
  'parts/vite/bin/vite.js': bundler,
  'parts/vitest/package.json': '{"name":"vitest","version":"1.0.0"}',
  'parts/vitest/vitest.mjs': 'console.log("tested");',
  'scripts/build-worker.mjs': 'export async function buildWorker() { console.log("bundled"); }',
  'tsconfig.base.json': '{}',
  'packages/one/src/a.ts': '',
  'packages/one/src/b.ts': '',
  'packages/one/src/a.test.ts': '',
  'apps/web/index.html': '',
  'dev/src/start.ts': '',
};
const fresh = 'Installing packages…\nBuilding…\nstarted\n';

let folder;
let clone;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firepod prepare '));
  clone = join(folder, 'a clone');
  for (const [file, text] of Object.entries(files)) put(file, text);
  for (const script of ['run.mjs', 'prepare.mjs']) {
    cpSync(join(import.meta.dirname, script), join(clone, 'scripts', script));
  }
  const made = spawnSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], {
    cwd: clone,
  });
  expect(made.status).toBe(0);
});
afterEach(() => {
  for (const made of [
    'node_modules',
    '.cache',
    'note',
    'dev/dist',
    'apps/worker',
    'apps/functions',
    'apps/web/dist',
  ])
    rmSync(join(clone, made), { recursive: true, force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(file, text) {
  mkdirSync(dirname(join(clone, file)), { recursive: true });
  writeFileSync(join(clone, file), text);
}

function launch(command, env = {}, flags = []) {
  const child = spawn(process.execPath, [...flags, join(clone, 'scripts/run.mjs'), command], {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      // npm's own report of an install varies with its version.
      run.output += text.replace(/^(added|up to date|changed|removed|npm warn).*\n|^\n/gm, '');
    });
  }
  run.ended = new Promise((resolve) => child.once('close', (code) => resolve({ code, output: run.output })));
  return run;
}

const run = (command, env, flags) => launch(command, env, flags).ended;

/** Kills it and all below it, as soon as it has written `words`. */
async function killWhen(words, env) {
  const launched = launch('start', env);
  while (!launched.output.includes(words)) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(-launched.child.pid, 'SIGKILL');
  await launched.ended;
}

function touch(file) {
  const later = new Date(Date.now() + 10_000);
  utimesSync(join(clone, file), later, later);
}

test('a fresh clone is installed and built; after that nothing is done and nothing is said', async () => {
  expect(await run('start')).toEqual({ code: 0, output: fresh });
  expect(await run('start')).toEqual({ code: 0, output: 'started\n' });
});

test('a folder to deploy is bundled from the sources: packages are installed, and nothing else is built', async () => {
  expect(await run('build:worker')).toEqual({ code: 0, output: 'Installing packages…\nbundled\n' });
  expect(await run('build')).toEqual({ code: 0, output: 'Building…\n' });
  expect(await run('build')).toEqual({ code: 0, output: '' });
});

test('running installs no tools; testing adds them, and a later start leaves them', async () => {
  await run('start');
  expect(existsSync(join(clone, 'node_modules/vitest'))).toBe(false);
  expect((await run('test')).output).toBe('Installing packages…\ntested\n');
  put('package-lock.json', `${readFileSync(join(clone, 'package-lock.json'), 'utf8')} `);
  expect((await run('start')).output).toBe(fresh);
  expect(existsSync(join(clone, 'node_modules/vitest'))).toBe(true);
});

test('a changed, a new and a deleted source are built again; tests and texts are not', async () => {
  await run('start');
  touch('packages/one/src/a.ts');
  expect((await run('start')).output).toBe('Building…\nstarted\n');
  put('packages/one/src/c.ts', '');
  expect((await run('start')).output).toBe('Building…\nstarted\n');
  rmSync(join(clone, 'packages/one/src/c.ts'));
  expect((await run('start')).output).toBe('Building…\nstarted\n');
  touch('packages/one/src/a.test.ts');
  put('packages/one/README.md', 'read me');
  expect((await run('start')).output).toBe('started\n');
});

test('an output that somebody deleted is built again, whatever the compiler has noted', async () => {
  await run('start');
  rmSync(join(clone, 'dev/dist/start.js'));
  expect(await run('start')).toEqual({ code: 0, output: 'Building…\nstarted\n' });
});

test('of several commands at once one prepares, and the others wait for it', async () => {
  const runs = await Promise.all(Array.from({ length: 3 }, () => run('start')));
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
  const all = runs.map(({ output }) => output).join('');
  expect(all.match(/Installing packages/g)).toHaveLength(1);
  expect(all.match(/Building/g)).toHaveLength(1);
  expect(all).toMatch(/Process \d+ is preparing this clone; waiting for it…/);
});

test('the lock of a command that is dead is taken over, by one of several', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  put('.cache/prepare.lock/pid', String(pid));
  const runs = await Promise.all(Array.from({ length: 3 }, () => run('start')));
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(
    runs
      .map(({ output }) => output)
      .join('')
      .match(/Installing packages/g),
  ).toHaveLength(1);
  expect(existsSync(join(clone, '.cache/prepare.lock'))).toBe(false);
});

test('an install and a build that were killed in the middle are done again', async () => {
  await killWhen('Installing');
  await killWhen('hanging', { FIXTURE_COMPILER: 'hangs' });
  expect(await run('start')).toEqual({ code: 0, output: 'Building…\nstarted\n' });
  // Killed where there were good outputs before, too.
  touch('packages/one/src/b.ts');
  await killWhen('hanging', { FIXTURE_COMPILER: 'hangs' });
  expect((await run('start')).output).toBe('Building…\nstarted\n');
});

test('sources that do not compile end the command with a sentence', async () => {
  const failed = await run('start', { FIXTURE_COMPILER: 'fails' });
  expect(failed.code).toBe(1);
  expect(failed.output).toBe(
    'Installing packages…\nBuilding…\nThe sources do not compile; the messages stand above.\n',
  );
  expect((await run('start')).output).toBe('Building…\nstarted\n');
});

test('where the home cannot be written the packages still come', async () => {
  put('../home', 'a file, where nothing can be written even by root');
  const env = { HOME: join(folder, 'home'), npm_config_cache: undefined };
  expect((await run('start', env)).output).toBe(fresh);
});

test('a Node that is too old is told so', async () => {
  const pretend =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })";
  const { code, output } = await run('start', {}, ['--import', `data:text/javascript,${pretend}`]);
  expect(output).toBe('Node 20.18.3 is too old: Firepod needs 20.19 or newer.\n');
  expect(code).toBe(1);
});
