/** The note that a running stack leaves in its data folder, so that other commands can join it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
const port = z.number().int().min(1).max(65_535);
const stackFileSchema = z.object({
    pid: z.number().int().positive(),
    projectId: z.string(),
    bucket: z.string(),
    endpointId: z.string(),
    host: z.string(),
    ports: z.object({ auth: port, firestore: port, storage: port, functions: port, web: port, runpod: port }),
});
const stackFile = (dataFolder) => join(dataFolder, 'stack.json');
/** Writes the note; the returned function removes it. */
export function announceStack(dataFolder, addresses) {
    const { projectId, bucket, endpointId, host, ports } = addresses;
    const file = stackFile(dataFolder);
    writeFileSync(file, JSON.stringify({ pid: process.pid, projectId, bucket, endpointId, host, ports }));
    return () => rmSync(file, { force: true });
}
/** The stack that runs from this data folder, or undefined when there is none, or its process has died. */
export function findRunningStack(dataFolder) {
    let text;
    try {
        text = readFileSync(stackFile(dataFolder), 'utf8');
    }
    catch {
        return undefined; // no note, no stack
    }
    const parsed = stackFileSchema.safeParse(JSON.parse(text));
    if (!parsed.success)
        return undefined;
    const { pid, ...addresses } = parsed.data;
    return isAlive(pid) ? addresses : undefined;
}
function isAlive(pid) {
    try {
        process.kill(pid, 0);
        return true;
    }
    catch (error) {
        return error.code === 'EPERM';
    }
}
//# sourceMappingURL=stack-file.js.map