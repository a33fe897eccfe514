/**
 * Rasterises the emoji of subjects.txt with sharp, each to a 256 x 256 RGBA picture in a folder of PNG files.
 *
 * Usage: node rasterise.mjs <icons.json of @iconify-json/fluent-emoji-flat> <subjects.txt> <folder for the pictures>
 */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';

const EDGE_PX = 256;
/** The icons are drawn in a 32 x 32 box; sharp rasterises SVG at 72 dots per inch unless told otherwise. */
const VIEW_BOX = 32;

const [iconsPath, subjectsPath, outputFolder] = process.argv.slice(2);
if (!outputFolder) throw new Error('Expected three arguments: icons.json, subjects.txt, output folder.');

const { icons } = JSON.parse(await readFile(iconsPath, 'utf8'));
const lines = (await readFile(subjectsPath, 'utf8'))
  .split('\n')
  .filter((line) => line && !line.startsWith('#'));
await mkdir(outputFolder, { recursive: true });

for (const line of lines) {
  const name = line.split('|')[0];
  const icon = icons[name];
  if (!icon) throw new Error(`The icon set has no icon named "${name}".`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${VIEW_BOX} ${VIEW_BOX}" width="${EDGE_PX}" height="${EDGE_PX}">${icon.body}</svg>`;
  await sharp(Buffer.from(svg))
    .ensureAlpha()
    .png()
    .toFile(path.join(outputFolder, `${name}.png`));
}
