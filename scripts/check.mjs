/** `npm run check`: style and import walls, types, packages as they would be published, unused code, file sizes, and a lock that `npm ci` takes. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { root } from './prepare.mjs';

const maximumLines = 500;

const checks = [
  ['style and import walls', () => run('node_modules/.bin/biome', ['check', '--error-on-warnings'])],
  ['types', () => run('node_modules/.bin/tsc', ['-b'])],
  ['types of the tests', () => run('node_modules/.bin/tsc', ['-p', 'tsconfig.test.json', '--noEmit'])],
  ['what would be published', () => run('node_modules/.bin/publint', ['packages/runpod', '--strict'])],
  ['unused code', () => run('node_modules/.bin/knip', [])],
  ['file sizes', checkFileSizes],
  ['the lock', () => run('npm', ['ci', '--dry-run', '--no-audit', '--no-fund', '--loglevel=error'], 'pipe')],
];

let failed = 0;
for (const [name, check] of checks) {
  const startedAt = performance.now();
  const problem = check();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${problem === undefined ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)${problem ? `\n${problem}` : ''}`,
  );
  if (problem !== undefined) failed += 1;
}
if (failed > 0) process.exitCode = 1;

function run(program, args, output = 'inherit') {
  const result = spawnSync(program, args, { cwd: root, stdio: ['ignore', output, 'inherit'] });
  return result.status === 0
    ? undefined
    : `${program} ${args.join(' ')} ended with ${result.status ?? result.error}`;
}

function checkFileSizes() {
  const listed = spawnSync('git', ['ls-files', '*.ts', '*.tsx', '*.mjs', '*.py', '*.css'], {
    cwd: root,
    encoding: 'utf8',
  });
  const long = listed.stdout
    .split('\n')
    .filter((file) => file !== '' && existsSync(`${root}/${file}`))
    .map((file) => [readFileSync(`${root}/${file}`, 'utf8').split('\n').length - 1, file])
    .filter(([lines]) => lines > maximumLines);
  return long.length === 0
    ? undefined
    : long.map(([lines, file]) => `${file} has ${lines} lines, over ${maximumLines}`).join('\n');
}
