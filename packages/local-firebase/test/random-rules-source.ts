/** Random rules sources for fuzzing: mostly well-formed, some of them damaged. The same seed makes the same sources. */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const leaves = [
  ...['null', 'true', 'false', '0', '1', '-1', '9223372036854775807', '0x10', '1.5', '1e300', '0.0'],
  ...[
    "''",
    "'a'",
    "'id'",
    "'\\u00e9\\n'",
    "'[a-z]+'",
    "'(a*)b'",
    "'\\\\d{2}'",
    "'('",
    "'2024'",
    "b'a'",
    "'h'",
  ],
  ...[
    'request',
    'resource',
    'id',
    'rest',
    'x',
    'request.auth',
    'request.auth.uid',
    'request.time',
    'request.path',
  ],
  ...['resource.data', 'resource.data.name', 'resource.data.list', 'resource.data.at', 'resource.data.place'],
  ...['request.resource.data', 'request.query.limit', 'request.auth.token', '[]', '{}', '/a/b', '/a/$(id)/c'],
];
const binaryOperators = ['||', '&&', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', 'in'];
const types = [
  'bool',
  'bytes',
  'duration',
  'float',
  'int',
  'list',
  'map',
  'number',
  'path',
  'set',
  'string',
  'timestamp',
];
const noArgument = [
  ...[
    'size',
    'lower',
    'trim',
    'toUtf8',
    'toBase64',
    'toHexString',
    'keys',
    'values',
    'toSet',
    'affectedKeys',
  ],
  ...['changedKeys', 'date', 'time', 'seconds', 'nanos', 'year', 'dayOfYear', 'toMillis', 'latitude'],
];
const oneArgument = [
  ...['matches', 'split', 'hasAny', 'hasAll', 'hasOnly', 'concat', 'join', 'removeAll', 'diff', 'union'],
  ...['intersection', 'difference', 'distance', 'bind'],
];
const functionsOfOne = [
  ...[
    'debug',
    'int',
    'float',
    'string',
    'bool',
    'path',
    'get',
    'exists',
    'getAfter',
    'twice',
    'math.abs',
    'math.sqrt',
  ],
  ...['math.round', 'hashing.md5', 'hashing.crc32c', 'timestamp.value', 'duration.abs'],
];
const functionsOfMore = [
  'math.pow',
  'latlng.value',
  'duration.value',
  'timestamp.date',
  'duration.time',
  'nothing',
];
const damage = [
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  '/',
  '"',
  "'",
  '\\',
  ';',
  ':',
  '$(',
  '/*',
  '//',
  '\n',
  '\0',
  '\ud800',
  'é',
];
const words = [
  'allow',
  'match',
  'function',
  'let',
  'return',
  'if',
  'service',
  'is',
  'in',
  '=**',
  '&&',
  '..',
  '0x',
  '1e',
];

/** A file with two conditions; about one in four is damaged somewhere. */
export function randomSource(random: () => number): string {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;

  function expression(depth: number): string {
    if (depth <= 0 || random() < 0.2) return pick(leaves);
    const inner = () => expression(depth - 1);
    const many = () => Array.from({ length: Math.floor(random() * 4) }, inner).join(', ');
    switch (Math.floor(random() * 12)) {
      case 0:
      case 1:
      case 2:
        return `(${inner()} ${pick(binaryOperators)} ${inner()})`;
      case 3:
        return `${pick(['!', '-'])}(${inner()})`;
      case 4:
        return `(${inner()} is ${pick(types)})`;
      case 5:
        return `(${inner()} ? ${inner()} : ${inner()})`;
      case 6:
        return pick([`[${many()}]`, `{'a': ${inner()}, 'b': ${inner()}}`, `/a/$(${inner()})/$(${inner()})`]);
      case 7:
        return pick([`(${inner()}).name`, `(${inner()})[${inner()}]`, `(${inner()})[${inner()}:${inner()}]`]);
      case 8:
        return `(${inner()}).${pick(noArgument)}()`;
      case 9:
        return pick([
          `(${inner()}).get(${inner()}, ${inner()})`,
          `(${inner()}).replace(${inner()}, ${inner()})`,
        ]);
      case 10:
        return `(${inner()}).${pick(oneArgument)}(${inner()})`;
      default:
        return random() < 0.8 ? `${pick(functionsOfOne)}(${inner()})` : `${pick(functionsOfMore)}(${many()})`;
    }
  }

  const source = `rules_version = '2';
service cloud.firestore {
  match /a/{id}/{rest=**} {
    function twice(x) { let y = ${expression(1)}; return [x, y]; }
    allow read, write: if ${expression(3)};
    allow list, create: if ${expression(2)};
  }
}`;
  if (random() < 0.75) return source;
  return Array.from({ length: 1 + Math.floor(random() * 3) }).reduce<string>((text) => {
    const at = Math.floor(random() * text.length);
    const removed = Math.floor(random() ** 3 * 40);
    const added = pick([pick(damage), pick(words), text.slice(at, at + Math.floor(random() * 30)), '']);
    return text.slice(0, at) + added + text.slice(at + removed);
  }, source);
}
