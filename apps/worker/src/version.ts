/** The version of this program, which goes into recipes and picture files. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const packageFile = z.object({ version: z.string() });

/** As package.json has it, which lies one folder above this file both as source and compiled. */
export const VERSION = packageFile.parse(
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
).version;
