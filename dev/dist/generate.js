/** `npm run generate -- "a red apple" --out apple.png`: the whole chain without a browser, as a client would use it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createFirepodClient } from '@firepod/client';
import { deleteApp } from 'firebase/app';
import { signInAnonymously } from 'firebase/auth';
import { connectClientApp } from './client-app.js';
import { settingsFrom } from './env.js';
import { generateUsage, parseGenerateCommand } from './generate-command.js';
import { portPlan } from './ports.js';
import { cloneFolder, startStack } from './stack.js';
import { findRunningStack } from './stack-file.js';
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => stopping.abort());
await main().then(() => process.exit(0), (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
});
async function main() {
    const command = parseGenerateCommand(process.argv.slice(2));
    if (command === 'help') {
        console.log(generateUsage);
        return;
    }
    const running = findRunningStack(join(cloneFolder, '.firepod'));
    if (running !== undefined) {
        await generate(command, running);
        return;
    }
    const dataFolder = await mkdtemp(join(tmpdir(), 'firepod-'));
    try {
        const stack = await startStack({ dataFolder, ports: portPlan('any'), ...settingsFrom(process.env) });
        try {
            await generate(command, stack);
        }
        finally {
            await stack.close();
        }
    }
    finally {
        await rm(dataFolder, { recursive: true, force: true });
    }
}
async function generate(command, addresses) {
    const { app, auth, firestore, functions } = await connectClientApp(addresses, 'generate');
    try {
        await signInAnonymously(auth);
        const client = createFirepodClient({ auth, firestore, functions });
        const generation = await client.submit(command.request);
        const completed = await client.waitForCompletion(generation, {
            signal: stopping.signal,
            onChange: showProgress,
        });
        const data = completed.generation_data;
        const urls = data.image_urls ?? (data.video_url === undefined ? [] : [data.video_url]);
        for (const [index, url] of urls.entries()) {
            const file = nthFile(command.out, index);
            await download(url, file);
            console.log(file);
        }
        for (const warning of data.warnings ?? [])
            console.error(`Note: ${warning}`);
    }
    finally {
        await deleteApp(app);
    }
}
function showProgress(generation) {
    const { status } = generation;
    const progress = status === 'processing' ? generation.progress : null;
    const line = progress === null ? status : `${status}: ${progress.phase} ${Math.round(progress.percent)} %`;
    // A terminal shows one line that changes; a file or a pipe gets a line each.
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}${status === 'completed' ? '\n' : ''}` : `${line}\n`);
}
/** `apple.png`, `apple_1.png`, `apple_2.png` …, as the files are named in Storage. */
function nthFile(out, index) {
    if (index === 0)
        return out;
    const extension = extname(out);
    return `${out.slice(0, out.length - extension.length)}_${index}${extension}`;
}
async function download(url, file) {
    const response = await fetch(url, { signal: stopping.signal });
    if (!response.ok)
        throw new Error(`The file could not be downloaded: ${response.status} ${response.statusText} from ${url}`);
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
}
//# sourceMappingURL=generate.js.map