import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StatusError } from './status.ts';
import { encodeFrame, parseForwardBody } from './web-channel-wire.ts';

test('frames, one after the other, split again by their lengths in UTF-16 units', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 5 }), (texts) => {
      let rest = texts.map((text, index) => encodeFrame([[index, [text]]])).join('');
      for (const [index, text] of texts.entries()) {
        const newline = rest.indexOf('\n');
        const end = newline + 1 + Number(rest.slice(0, newline));
        expect(JSON.parse(rest.slice(newline + 1, end))).toEqual([[index, [text]]]);
        rest = rest.slice(end);
      }
      expect(rest).toBe('');
    }),
  );
});

test('forward requests give back their headers and their messages with running ids', () => {
  const token = fc.stringMatching(/^[A-Za-z-]{1,10}$/);
  const headers = fc.dictionary(token, fc.stringMatching(/^[!-~]([ -~]{0,8}[!-~])?$/), {
    maxKeys: 3,
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }),
      fc.nat(),
      headers,
      (messages, offset, given) => {
        const form = new URLSearchParams({ count: String(messages.length), ofs: String(offset) });
        form.set(
          'headers',
          Object.entries(given)
            .map(([name, text]) => `${name}:${text}\r\n`)
            .join(''),
        );
        for (const [index, message] of messages.entries()) form.set(`req${index}___data__`, message);
        const parsed = parseForwardBody(form.toString());
        expect(parsed.maps).toEqual(messages.map((data, index) => ({ id: offset + index, data })));
        for (const [name, text] of Object.entries(given)) {
          // Later headers win, and their case does not count.
          const last = Object.entries(given).findLast(
            ([other]) => other.toLowerCase() === name.toLowerCase(),
          );
          expect(parsed.headers[name.toLowerCase()]).toBe((last?.[1] ?? text).trim());
        }
      },
    ),
  );
});

test('whatever comes, the parser answers or refuses', () => {
  const parts = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom('count=', 'ofs=', '&', 'req0___data__=', 'req-1___data__', '%', '1'),
    ),
  );
  fc.assert(
    fc.property(parts, (pieces) => {
      try {
        for (const { id } of parseForwardBody(pieces.join('')).maps)
          expect(Number.isSafeInteger(id)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(StatusError);
      }
    }),
    { numRuns: 1000 },
  );
});
