/** The entry of every npm script: prepares the clone (installs, builds what is stale), then runs the command. */
import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

const commands = {
  start: { needs: 'run', run: (args) => importProgram('dev/dist/start.js', args) },
  generate: { needs: 'run', run: (args) => importProgram('dev/dist/generate.js', args) },
  test: { needs: 'all', run: (args) => runProgram('node_modules/vitest/vitest.mjs', ['run', ...args]) },
  check: { needs: 'all', run: (args) => runProgram('scripts/check.mjs', args) },
  build: { needs: 'run', run: () => {} },
  'build:functions': { needs: 'packages', run: buildFunctionsFolder },
  'build:worker': { needs: 'packages', run: buildWorkerFolder },
  'bench:diffusion': { needs: 'all', run: (args) => runTypeScript('bench/diffusion/bench.ts', args) },
  'bench:firestore': { needs: 'all', run: (args) => runTypeScript('bench/firestore/bench.ts', args) },
  'bench:worker': { needs: 'all', run: (args) => runTypeScript('bench/worker/bench.ts', args) },
};

const [name, ...args] = process.argv.slice(2);
const command = commands[name];
if (command === undefined) {
  console.error(`Unknown command ${name}; expected one of ${Object.keys(commands).join(', ')}.`);
  process.exit(2);
}
try {
  await prepare(command.needs);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
if (process.env.npm_lifecycle_event !== undefined) endWithNpm();
await command.run(args);

/** npm that is told to end by SIGTERM ends its shell and itself, and tells nobody else: being adopted is what is left to see. */
function endWithNpm() {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}

/** Makes the folder that firebase.json names. The module needs packages that were installed only just now. */
async function buildFunctionsFolder() {
  const { buildFunctions } = await import('./build-functions.mjs');
  await buildFunctions(`${root}/dist/functions`);
}

/** Makes the folder that apps/worker/Dockerfile copies. */
async function buildWorkerFolder() {
  const { buildWorker } = await import('./build-worker.mjs');
  await buildWorker(`${root}/dist/worker`);
}

/** Runs a built program in this process, so that signals reach it directly. */
async function importProgram(path, args) {
  const file = `${root}/${path}`;
  process.argv = [process.argv[0], file, ...args];
  await import(pathToFileURL(file).href);
}

/** Runs a program that is not built, on built packages. */
function runTypeScript(path, args) {
  return runProgram('node_modules/tsx/dist/cli.mjs', [path, ...args]);
}

/** Runs a program in a child process and ends with its exit status. */
function runProgram(path, args) {
  const child = spawn(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' });
  // A Ctrl-C reaches the whole process group; this process waits for the child's own ending.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      process.exitCode = signal === null ? (code ?? 1) : 1;
      resolve();
    });
  });
}
