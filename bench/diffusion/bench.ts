/** `npm run bench:diffusion`: our pipelines and diffusers on the same weights, turn by turn in one run; then MP4s. */
import { type ComparedRow, comparedTable, figuresOf, significant } from '../figures.ts';
import { describeMachine } from '../machine.ts';
import { namedCases } from './cases.ts';
import { installDiffusersPython, makeTorchFolder } from './diffusers-python.ts';
import { findPeerFfmpeg, measureEncoding, type PeerFfmpeg, slidingTexture } from './mp4.ts';
import { compareSides } from './side-by-side.ts';

const python = installDiffusersPython();
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const cases = namedCases().map(({ name, paintCase }) => ({
  name,
  paintCase: { ...paintCase, torchFolder: makeTorchFolder(python, paintCase.folder) },
}));

console.log(describeMachine());
for (const each of cases) {
  const { steps, threads, task } = each.paintCase;
  const { table, likenessDb, versions, oursMs, outsideShare } = await compareSides(each, python, rounds);
  const alike = likenessDb === Infinity ? 'the same to the byte' : `${likenessDb.toFixed(1)} dB alike (PSNR)`;
  console.log(`\n${table}\n`);
  console.log(
    `${steps} steps, ${threads} threads, the same weights and seed; the two results are ${alike}, at least 40 dB needed. ` +
      `${versions.ours}; ${versions.peer}.`,
  );
  console.log(
    `Outside the sessions: ${(outsideShare.ours * 100).toFixed(1)} % of our time; goal ≤ 3 %.` +
      (task === 'text2img' ? ` One picture: ${significant(oursMs / 1000)} s; goal ≤ 3 s.` : ''),
  );
}

const peer = findPeerFfmpeg();
if (peer === undefined) {
  console.log('\nMP4 was not compared: no ffmpeg is on the PATH, and FFMPEG_PATH_PEER names none that runs.');
} else {
  console.log(`\n${await compareEncoders(peer)}`);
}

async function compareEncoders({ path, version }: PeerFfmpeg): Promise<string> {
  const frames = slidingTexture();
  const ours: number[] = [];
  const theirs: number[] = [];
  let sizes = '';
  for (let round = -1; round < rounds; round += 1) {
    const one = await measureEncoding(frames, null);
    const other = await measureEncoding(frames, path);
    if (round < 0) continue; // the first run of each reads the program from disk
    ours.push(one.durationMs);
    theirs.push(other.durationMs);
    sizes = `${Math.round(one.sizeBytes / 1024)} KiB and ${Math.round(other.sizeBytes / 1024)} KiB`;
  }
  const { widthPx, heightPx } = frames[0]!;
  const row: ComparedRow = {
    what: `MP4 of ${frames.length} frames of ${widthPx} x ${heightPx} px`,
    unit: 'ms',
    goal: '≤ 1.3',
    ours: figuresOf(ours),
    peer: figuresOf(theirs),
  };
  return `${comparedTable('the carried ffmpeg', version, [row])}\n\nThe same arguments and frames; files of ${sizes}.`;
}
