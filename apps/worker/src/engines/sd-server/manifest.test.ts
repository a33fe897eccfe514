import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { describeThrown } from '../../errors.ts';
import { pinnedFilesOf, readManifest } from './manifest.ts';
import { SAMPLERS } from './sampling.ts';

const SHIPPED = fileURLToPath(new URL('../../../../../models/manifests', import.meta.url));
const ids = readdirSync(SHIPPED)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.replace('.json', ''));

describe('a shipped manifest', () => {
  it.each(ids)('is complete and has its own id: %s', async (id) => {
    const manifest = await readManifest(id, SHIPPED);
    expect(manifest.id).toBe(id);
    expect(manifest.card.id).toBe(id);
    for (const { url, path } of pinnedFilesOf(manifest)) {
      // By commit: what is behind a branch changes.
      expect(url).toMatch(/^https:\/\/huggingface\.co\/[\w.-]+\/[\w.-]+\/resolve\/[0-9a-f]{40}\//);
      expect(path.startsWith(`${id}/`)).toBe(true);
    }
    for (const scheduler of manifest.card.schedulers) expect(SAMPLERS).toHaveProperty(scheduler);
    expect(manifest.card.limits.max_steps).toBeLessThanOrEqual(100); // the server cuts silently there
  });

  it('is there for SDXL and for Wan', () => {
    expect(ids.sort()).toEqual(['sdxl-base-1.0', 'wan2.1-t2v-1.3b']);
  });
});

describe('a manifest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-manifest-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const good = JSON.parse(readFileSync(join(SHIPPED, 'sdxl-base-1.0.json'), 'utf8'));
  const [file] = good.files;

  it.each([
    ['a file that leaves the folder', { files: [{ ...file, path: '../key' }] }, /files\[0\]\.path/],
    ['an absolute path', { files: [{ ...file, path: '/etc/passwd' }] }, /files\[0\]\.path/],
    [
      'an option of ours',
      { server: { ...good.server, arguments: ['--listen-ip', '0.0.0.0'] } },
      /arguments\[0\]/,
    ],
    ['a role that is no option', { files: [{ ...file, role: 'verbose' }] }, /role/],
    ['a hash that is none', { files: [{ ...file, sha256: 'abc' }] }, /64 lowercase/],
    ['a field that nobody reads', { sizes: [] }, /sizes/],
    ['tasks of another mode', { server: { ...good.server, mode: 'vid_gen' } }, /are not those of vid_gen/],
  ])('is refused for %s', async (_, change, problem) => {
    const path = join(folder, 'changed.json');
    writeFileSync(path, JSON.stringify({ ...good, ...change }));
    const error = await readManifest(path, folder).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'model_not_available' });
    expect(describeThrown(error)).toMatch(problem);
    expect(error.message).not.toContain(folder);
  });

  it('is refused when it is not there or no JSON, with its path for the log', async () => {
    writeFileSync(join(folder, 'broken.json'), '{');
    for (const id of ['absent', 'broken']) {
      const error = await readManifest(id, folder).catch((thrown) => thrown);
      expect(describeThrown(error)).toContain(join(folder, `${id}.json`));
    }
  });

  it('cannot be used before its files are known, and says what fills them in', async () => {
    const path = join(folder, 'unpinned.json');
    writeFileSync(path, JSON.stringify({ ...good, files: [{ ...file, sha256: null }] }));
    const manifest = await readManifest(path, folder);
    const error = (() => {
      try {
        return pinnedFilesOf(manifest);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(describeThrown(error)).toMatch(
      /has no size or hash.*pin-manifest\.mjs models\/manifests\/sdxl-base-1\.0\.json/,
    );
  });
});
