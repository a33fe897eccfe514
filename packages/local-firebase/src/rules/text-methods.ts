/** The methods of strings and bytes. */
import { ensureLength, size, textOf } from './method.ts';
import { regularExpression } from './regular-expression.ts';
import type { RulesValue } from './values.ts';

export const stringMethods = {
  size: { arity: 0, call: (self: string) => size([...self].length) },
  lower: { arity: 0, call: (self: string) => self.toLowerCase() },
  upper: { arity: 0, call: (self: string) => self.toUpperCase() },
  trim: { arity: 0, call: (self: string) => self.trim() },
  toUtf8: { arity: 0, call: (self: string) => Buffer.from(self, 'utf8') },
  matches: {
    arity: 1,
    call: (self: string, [pattern]: readonly RulesValue[]) =>
      regularExpression(textOf(pattern!), true).test(self),
  },
  replace: {
    arity: 2,
    call(self: string, [pattern, substitute]: readonly RulesValue[]) {
      const text = textOf(substitute!);
      ensureLength((self.length + 1) * text.length);
      // The substitute is text, not a pattern of JavaScript's.
      return self.replace(regularExpression(textOf(pattern!), false), () => text);
    },
  },
  split: {
    arity: 1,
    call(self: string, [pattern]: readonly RulesValue[]) {
      const parts: string[] = [];
      let from = 0;
      for (const { 0: text, index } of self.matchAll(regularExpression(textOf(pattern!), false))) {
        if (text === '' && (index === 0 || index >= self.length)) continue;
        parts.push(self.slice(from, index));
        from = index + text.length;
      }
      return [...parts, self.slice(from)];
    },
  },
};

export const bytesMethods = {
  size: { arity: 0, call: (self: Uint8Array) => size(self.length) },
  toBase64: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('base64') },
  toHexString: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('hex') },
};
