/** The bytes of WebChannel, wire version 8: frames to the client, forms from it. */
import { stringifyJson } from './protos.ts';
import { invalidArgument } from './status.ts';

/** One numbered thing in a frame. */
export type ChannelArray = [id: number, payload: unknown];

/**
 * `<length>\n<json>`, where the length counts UTF-16 units of the text, not bytes: that is what JavaScript reads with.
 */
export function encodeFrame(content: unknown): string {
  const json = stringifyJson(content);
  return `${json.length}\n${json}`;
}

/** A message from the client; ids count up from 0 over the life of a channel. */
export type ChannelMap = { id: number; data: string };

export type ForwardBody = {
  /** Lower-case names; only the first request of a channel has any. */
  headers: Record<string, string>;
  maps: ChannelMap[];
};

/**
 * Reads the form that a forward request carries: `count`, `ofs` and `req<i>___data__`, and in the first one `headers`,
 * which stand in for the HTTP headers that would need a preflight.
 *
 * @throws StatusError INVALID_ARGUMENT when the form does not hold as many messages as it says.
 */
export function parseForwardBody(body: string): ForwardBody {
  const form = new URLSearchParams(body);
  const count = naturalOf(form, 'count');
  const offset = naturalOf(form, 'ofs');
  const maps: ChannelMap[] = [];
  for (const [name, data] of form) {
    const index = /^req(\d{1,9})___data__$/.exec(name)?.[1];
    if (index !== undefined) maps.push({ id: offset + Number(index), data });
  }
  if (maps.length !== count) {
    throw invalidArgument(`The channel request says it has ${count} messages and holds ${maps.length}.`);
  }
  return { headers: parseHeaders(form.get('headers') ?? ''), maps };
}

function naturalOf(form: URLSearchParams, name: string): number {
  const text = form.get(name) ?? '0';
  if (!/^\d{1,15}$/.test(text))
    throw invalidArgument(`The channel request's "${name}" is "${text}": expected a number.`);
  return Number(text);
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}
