/** A real Chromium for the tests: the one CHROMIUM_PATH names, the system's, or the one that an npm package carries. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Launches it headless; `close()` ends it. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: await findChromium(),
    // Chromium's sandbox cannot be set up by root.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

async function findChromium(): Promise<string> {
  const named = process.env['CHROMIUM_PATH'];
  if (named !== undefined) return named;
  if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
  // The package unpacks the shared libraries that a bare system lacks only when it believes that it runs on Lambda.
  // Its own list of arguments is left alone: it turns web security off, which would hide CORS faults.
  const before = process.env['AWS_EXECUTION_ENV'];
  process.env['AWS_EXECUTION_ENV'] ??= 'AWS_Lambda_nodejs20.x';
  try {
    const { default: carried } = await import('@sparticuz/chromium');
    return await carried.executablePath();
  } finally {
    // No other SDK in this process may take the machine for Lambda.
    if (before === undefined) delete process.env['AWS_EXECUTION_ENV'];
  }
}
