/** The environment that a person may set for a stack: which model, and how jobs are dispatched and leased. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { cloneFolder } from './stack.js';
/** Handed on to functions and workers, which check them. */
const handedOn = [
    'FIREPOD_ENGINE_THREADS',
    'FIREPOD_DISPATCH',
    'FIREPOD_MEDIA_ACCESS',
    'FIREPOD_MAX_ATTEMPTS',
    'FIREPOD_LEASE_SECONDS',
];
const envSchema = z.object({
    FIREPOD_MODEL: z.string().min(1).default(join(cloneFolder, 'models/tiny-sdxl')),
});
/** @throws {Error} when FIREPOD_MODEL names no folder. */
export function settingsFrom(env) {
    const modelFolder = resolve(envSchema.parse(env).FIREPOD_MODEL);
    if (!existsSync(modelFolder)) {
        throw new Error(`FIREPOD_MODEL: ${modelFolder} is not there; expected a folder with a model in diffusers' ONNX layout.`);
    }
    const set = handedOn.map((name) => [name, env[name]]).filter(([, value]) => value !== undefined);
    return { modelFolder, env: Object.fromEntries(set) };
}
//# sourceMappingURL=env.js.map