/** What Wan's pipeline does to a prompt before its tokenizer sees it. */

import { decodeHTML } from 'entities';

/** Control characters other than blanks, and the marks of text that is no text: what ftfy removes. */
const CONTROLS = /(?![\t\n\f\r\u0085])[\p{Cc}\u206a-\u206f\ufeff\ufff9-\ufffc]/gu;

/**
 * diffusers' `prompt_clean`: HTML's character references are read (twice, for texts that were escaped twice), curly quotes become
 * straight, text is composed (NFC), control characters go, and blanks collapse to single spaces. Text in a wrongly guessed encoding
 * ("mojibake"), which ftfy also mends where it is installed beside diffusers, is left as it is.
 */
export function cleanPrompt(text: string): string {
  return decodeHTML(decodeHTML(text))
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(CONTROLS, '')
    .normalize('NFC')
    .replace(/\p{White_Space}+/gu, ' ')
    .trim();
}
