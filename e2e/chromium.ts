/** A real Chromium for the tests: the one CHROMIUM_PATH names, the system's, or the one that an npm package carries. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Launches it headless; `close()` ends it. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: await findChromium() });
}

async function findChromium(): Promise<string> {
  const named = process.env['CHROMIUM_PATH'];
  if (named !== undefined) return named;
  if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
  return unpackCarriedChromium(join(import.meta.dirname, '../.cache/chromium'));
}

/** Unpacks into a folder of this clone: the system's temporary folder may hold another user's, or a half-written one. */
async function unpackCarriedChromium(folder: string): Promise<string> {
  const completeMark = join(folder, 'complete');
  if (!existsSync(completeMark)) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // The package unpacks the shared libraries that a bare system lacks only when it believes that it runs on Lambda.
  // Its own list of arguments is left alone: it turns web security off, which would hide CORS faults.
  const before = { TMPDIR: process.env['TMPDIR'], AWS_EXECUTION_ENV: process.env['AWS_EXECUTION_ENV'] };
  Object.assign(process.env, { TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' });
  try {
    const { default: carried } = await import('@sparticuz/chromium');
    const path = await carried.executablePath();
    writeFileSync(completeMark, '');
    return path;
  } finally {
    // No other code in this process may take the machine for Lambda.
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
