/** The model card of a model folder, for whoever must know the model before a worker has loaded it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelCardSchema } from '@firepod/contract';
/** The folder's `model_card.json`, or undefined where it has none: an SDXL export from elsewhere brings no card. */
export function readModelCard(modelFolder) {
    let text;
    try {
        text = readFileSync(join(modelFolder, 'model_card.json'), 'utf8');
    }
    catch (error) {
        if (error.code === 'ENOENT')
            return undefined;
        throw error;
    }
    const parsed = modelCardSchema.safeParse(JSON.parse(text));
    if (parsed.success)
        return parsed.data;
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new Error(`${modelFolder}/model_card.json is not a model card: ${problems}`);
}
//# sourceMappingURL=model-card-file.js.map