/** The note that a running stack leaves in its data folder, so that other commands can join it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { StackAddresses } from './stack.ts';

const port = z.number().int().min(1).max(65_535);
const stackFileSchema = z.object({
  pid: z.number().int().positive(),
  projectId: z.string(),
  appId: z.string(),
  bucket: z.string(),
  endpointId: z.string(),
  host: z.string(),
  ports: z.object({ auth: port, firestore: port, storage: port, functions: port, web: port, runpod: port }),
});

/** A running stack as its note describes it. */
export type AnnouncedStack = StackAddresses & { pid: number };

/** It answers within milliseconds, unless the machine is very busy. */
const answerTimeoutMs = 3_000;

const stackFile = (dataFolder: string) => join(dataFolder, 'stack.json');

/** Writes the note; the returned function removes it. */
export function announceStack(dataFolder: string, addresses: StackAddresses): () => void {
  const { projectId, appId, bucket, endpointId, host, ports } = addresses;
  const note: AnnouncedStack = { pid: process.pid, projectId, appId, bucket, endpointId, host, ports };
  const file = stackFile(dataFolder);
  // Nobody may read half a note.
  writeFileSync(`${file}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return () => rmSync(file, { force: true });
}

/**
 * The stack that runs from this data folder. A note outlives a killed stack, and its process id and ports may belong to
 * others by now: the studio that answers there must name the same app.
 */
export async function findRunningStack(dataFolder: string): Promise<AnnouncedStack | undefined> {
  const note = readNote(stackFile(dataFolder));
  if (note === undefined) return undefined;
  return (await appIdAt(`http://${note.host}:${note.ports.web}`)) === note.appId ? note : undefined;
}

/** Undefined when there is none, or none that we wrote. */
function readNote(file: string): AnnouncedStack | undefined {
  try {
    return stackFileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** The app that Hosting serves at this address, or undefined when nothing, or something else, answers. */
async function appIdAt(url: string): Promise<unknown> {
  try {
    const response = await fetch(`${url}/__/firebase/init.json`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    return ((await response.json()) as { appId?: unknown } | null)?.appId;
  } catch {
    return undefined;
  }
}
