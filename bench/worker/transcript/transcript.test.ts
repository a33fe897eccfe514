/** runpod-python's own worker, unmodified, and ours on one scripted session; what they say is kept beside this file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import { expect, test } from 'vitest';
import { findRunpodPython } from '../runpod-python.ts';
import { nodeWorker, pythonWorker } from '../worker-program.ts';
import { recordTranscript } from './transcript.ts';

const python = findRunpodPython();
/** runpod-python's loop sleeps: its session takes sixteen seconds where nothing else runs. */
const testTimeoutMs = 120_000;

test(
  'our worker says to RunPod what its transcript says',
  async () => {
    const transcript = await recordTranscript(nodeWorker('transcript/handlers.mjs'));
    await expect(transcript).toMatchFileSnapshot('transcripts/firepod.txt');
  },
  testTimeoutMs,
);

test.skipIf(python === undefined)(
  "runpod-python's worker serves the same session, and says what its transcript says (after npm run bench:worker -- --install-only)",
  async () => {
    const transcript = await recordTranscript(pythonWorker(python ?? '', 'transcript/handlers.py'));
    await expect(transcript).toMatchFileSnapshot('transcripts/runpod-python.txt');
  },
  testTimeoutMs,
);

test('the two differ in what the kept difference shows, and in nothing else', async () => {
  const read = (name: string) => readFile(join(import.meta.dirname, 'transcripts', name), 'utf8');
  const names = ['runpod-python.txt', 'firepod.txt'] as const;
  const [theirs, ours] = await Promise.all(names.map(read));
  const difference = createTwoFilesPatch(...names, theirs!, ours!, '', '', { context: 1 });
  await expect(difference).toMatchFileSnapshot('transcripts/difference.diff');
});
