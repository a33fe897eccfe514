export interface StackSettings {
    modelFolder: string;
    env: Record<string, string>;
}
/** @throws {Error} when FIREPOD_MODEL names no folder. */
export declare function settingsFrom(env: NodeJS.ProcessEnv): StackSettings;
