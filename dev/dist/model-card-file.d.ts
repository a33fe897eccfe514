import { type ModelCard } from '@firepod/contract';
/** The folder's `model_card.json`, or undefined where it has none: an SDXL export from elsewhere brings no card. */
export declare function readModelCard(modelFolder: string): ModelCard | undefined;
