/** The walls between the folders, as biome.json has them: what each may and may not import. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './prepare.mjs';

const cases = [
  ['packages/contract/src', ['zod'], ['@firepod/runpod/client', 'node:fs', 'firebase-admin/firestore']],
  ['packages/runpod/src', ['node:fs'], ['@firepod/contract']],
  ['packages/diffusion/src', ['node:fs'], ['@firepod/contract', '@firepod/runpod/worker']],
  ['packages/local-firebase/src', ['node:fs'], ['@firepod/contract']],
  ['packages/client/src', ['@firepod/contract'], ['@firepod/functions', '@firepod/runpod/worker', 'node:fs']],
  [
    'apps/functions/src',
    ['@firepod/contract', '@firepod/runpod/client'],
    ['@firepod/client', '@firepod/worker', '@firepod/runpod/local', '@firepod/local-firebase'],
  ],
  ['apps/functions/test', ['@firepod/runpod/local', '@firepod/local-firebase'], ['@firepod/worker']],
  [
    'apps/worker/src',
    ['@firepod/contract', '@firepod/runpod/worker', '@firepod/diffusion'],
    ['@firepod/functions', '@firepod/runpod/local', '@firepod/runpod/client', '@firepod/local-firebase'],
  ],
  ['apps/worker/testing', ['@firepod/local-firebase'], ['@firepod/functions', '@firepod/dev']],
  [
    'apps/web/src',
    ['@firepod/client', '@firepod/contract'],
    ['@firepod/functions', '@firepod/runpod/client'],
  ],
].flatMap(([folder, allowed, refused]) => [
  ...allowed.map((imported) => ({ folder, imported, isRefused: false })),
  ...refused.map((imported) => ({ folder, imported, isRefused: true })),
]);

let folder;
let refusals;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firepod-walls-'));
  copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'));
  for (const [index, { imported, ...each }] of cases.entries()) {
    const file = join(folder, each.folder, `case-${index}.ts`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `import { thing } from '${imported}';\n\nthing();\n`);
  }
  const biome = join(root, 'node_modules/.bin/biome');
  const args = ['lint', '--vcs-enabled=false', '--only=style/noRestrictedImports', '--max-diagnostics=none'];
  const { stdout } = spawnSync(biome, [...args, '--reporter=json'], { cwd: folder, encoding: 'utf8' });
  refusals = JSON.stringify(JSON.parse(stdout).diagnostics);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(cases.map((each, index) => ({ ...each, index })))(
  '$folder importing $imported is refused: $isRefused',
  ({ folder: importer, index, isRefused }) => {
    expect(refusals.includes(`${importer}/case-${index}.ts`)).toBe(isRefused);
  },
);
