/** `npm run generate -- "a red apple" --out apple.png`: the whole chain without a browser, as a client would use it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createFirepodClient, type FirepodClient, type GenerationReference } from '@firepod/client';
import { deleteApp } from 'firebase/app';
import { signInAnonymously } from 'firebase/auth';
import { connectClientApp } from './client-app.ts';
import { settingsFrom } from './env.ts';
import { type GenerateCommand, generateUsage, parseGenerateCommand } from './generate-command.ts';
import { readSources, uploadSources } from './generate-sources.ts';
import { download, nthFile, refuseUnwritable } from './generated-files.ts';
import { portPlan } from './ports.ts';
import { createProgressLine, describeProgress } from './progress-line.ts';
import { type StackAddresses, startStack } from './stack.ts';
import { findRunningStack } from './stack-file.ts';
import { listenForStop } from './stop-signals.ts';

type Sources = Awaited<ReturnType<typeof readSources>>;

const lookAgainMs = 5_000;
/** As shells number a process that Ctrl-C ended. */
const interrupted = 130;

const stopped = listenForStop();
const progressLine = createProgressLine(process.stderr);

await main().then(
  () => process.exit(0),
  (error: unknown) => {
    progressLine.end();
    if (stopped.aborted) process.exit(interrupted);
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

async function main(): Promise<void> {
  const command = parseGenerateCommand(process.argv.slice(2));
  if (command === 'help') {
    console.log(generateUsage);
    return;
  }
  await refuseUnwritable(command.out);
  const sources = await readSources(command.sources);
  const running = await findRunningStack(command.dataFolder);
  if (running === undefined) await generateAlone(command, sources);
  else await generateJoining(command, sources, running);
}

/** On a stack of somebody else's, for as long as it runs. */
async function generateJoining(
  command: GenerateCommand,
  sources: Sources,
  running: StackAddresses,
): Promise<void> {
  const done = new AbortController();
  const ended = (async () => {
    while (!done.signal.aborted) {
      await delay(lookAgainMs, undefined, { signal: done.signal });
      // The SDKs would wait for ever for a stack that comes back.
      if ((await findRunningStack(command.dataFolder)) === undefined)
        throw new Error('The Firepod that this command had joined has ended. Run the command again.');
    }
  })();
  try {
    await Promise.race([generate(command, sources, running), ended]);
  } finally {
    done.abort();
    await ended.catch(() => undefined); // it was told to, or its error is thrown already
  }
}

/** On a stack for this command alone, of which nothing stays. */
async function generateAlone(command: GenerateCommand, sources: Sources): Promise<void> {
  const settings = settingsFrom(process.env);
  const dataFolder = await mkdtemp(join(tmpdir(), 'firepod-'));
  try {
    progressLine.show('starting');
    const stack = await startStack({
      dataFolder,
      ports: portPlan('any'),
      ...settings,
      signal: stopped,
      onTrouble(sentence) {
        progressLine.end();
        console.error(sentence);
      },
    });
    try {
      await generate(command, sources, stack);
    } finally {
      await stack.close();
    }
  } finally {
    await rm(dataFolder, { recursive: true, force: true });
  }
}

async function generate(
  command: GenerateCommand,
  sources: Sources,
  addresses: StackAddresses,
): Promise<void> {
  const { app, auth, firestore, functions } = await connectClientApp(addresses, 'generate');
  try {
    await signInAnonymously(auth);
    const client = createFirepodClient({ auth, firestore, functions });
    const urls = await uploadSources(client, sources);
    const generation = await client.submit({ ...command.request, ...urls });
    const { generation_data: data } = await waitOrCancel(client, generation);
    progressLine.end();
    const results = data.image_urls ?? (data.video_url === undefined ? [] : [data.video_url]);
    for (const [index, url] of results.entries()) {
      const file = nthFile(command.out, index);
      await download(url, file, stopped);
      console.log(file);
    }
    for (const warning of data.warnings ?? []) console.error(`Note: ${warning}`);
  } finally {
    await deleteApp(app);
  }
}

async function waitOrCancel(client: FirepodClient, generation: GenerationReference) {
  try {
    return await client.waitForCompletion(generation, {
      signal: stopped,
      onChange: (now) => progressLine.show(describeProgress(now)),
    });
  } catch (error) {
    // Nobody will look at it: the worker is free for the next one.
    if (stopped.aborted) {
      progressLine.show('cancelling');
      await client.cancel(generation);
    }
    throw error;
  }
}
