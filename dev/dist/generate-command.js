/** The words of `npm run generate`: a prompt, where to write, and any field of the request. */
export const generateUsage = `npm run generate -- PROMPT [--out FILE] [--FIELD VALUE …]

  npm run generate -- "a red apple on a blue background" --seed 7 --out apple.png
  npm run generate -- "a cat" --num-images 2 --num-inference-steps 40 --scheduler K_EULER

  --out FILE   where the picture goes (default generation.png); further images get _1, _2 …
  --FIELD      any field of a request, with - or _ between its words; numbers, true, false and null are taken as such`;
/** Fields whose values are text, even when they look like a number. */
const textFields = new Set([
    'prompt',
    'negative_prompt',
    'scheduler',
    'output_format',
    'task_type',
    'image_url',
    'mask_url',
]);
/** @throws {Error} when there is no prompt, or an option has no value. */
export function parseGenerateCommand(words) {
    const request = {};
    let out = 'generation.png';
    for (let index = 0; index < words.length; index += 1) {
        const word = words[index] ?? '';
        if (word === '--help' || word === '-h')
            return 'help';
        if (!word.startsWith('--')) {
            if (request['prompt'] !== undefined) {
                throw new Error(`There are two prompts, "${request['prompt']}" and "${word}"; put quotes around one prompt.`);
            }
            request['prompt'] = word;
            continue;
        }
        const [name = '', inline] = splitOnce(word.slice(2), '=');
        const value = inline ?? words[++index];
        if (value === undefined)
            throw new Error(`--${name} has no value.`);
        if (name === 'out')
            out = value;
        else {
            const field = name.replaceAll('-', '_');
            request[field] = textFields.has(field) ? value : parseValue(value);
        }
    }
    if (typeof request['prompt'] !== 'string')
        throw new Error(`There is no prompt.\n\n${generateUsage}`);
    return { out, request: { ...request, prompt: request['prompt'] } };
}
function parseValue(text) {
    if (text === 'null')
        return null;
    if (text === 'true' || text === 'false')
        return text === 'true';
    const number = Number(text);
    return text.trim() !== '' && Number.isFinite(number) ? number : text;
}
function splitOnce(text, separator) {
    const at = text.indexOf(separator);
    return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
//# sourceMappingURL=generate-command.js.map