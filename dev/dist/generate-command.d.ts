/** The words of `npm run generate`: a prompt, where to write, and any field of the request. */
export interface GenerateCommand {
    /** Path of the file to write. */
    out: string;
    /** Fields as the person gave them; the function checks them as it checks any client's. */
    request: Record<string, unknown> & {
        prompt: string;
    };
}
export declare const generateUsage = "npm run generate -- PROMPT [--out FILE] [--FIELD VALUE \u2026]\n\n  npm run generate -- \"a red apple on a blue background\" --seed 7 --out apple.png\n  npm run generate -- \"a cat\" --num-images 2 --num-inference-steps 40 --scheduler K_EULER\n\n  --out FILE   where the picture goes (default generation.png); further images get _1, _2 \u2026\n  --FIELD      any field of a request, with - or _ between its words; numbers, true, false and null are taken as such";
/** @throws {Error} when there is no prompt, or an option has no value. */
export declare function parseGenerateCommand(words: readonly string[]): GenerateCommand | 'help';
