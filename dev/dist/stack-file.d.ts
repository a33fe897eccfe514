import type { StackAddresses } from './stack.ts';
/** Writes the note; the returned function removes it. */
export declare function announceStack(dataFolder: string, addresses: StackAddresses): () => void;
/** The stack that runs from this data folder, or undefined when there is none, or its process has died. */
export declare function findRunningStack(dataFolder: string): StackAddresses | undefined;
