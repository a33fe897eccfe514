/** The syntax tree of a rules file: what the parser makes, the checker reads and the evaluator walks. */

/** Where something starts in the source; both count from 1, columns in UTF-16 units as editors do. */
export type Position = { line: number; column: number };

export type BinaryOperator =
  | '||'
  | '&&'
  | '=='
  | '!='
  | 'in'
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '*'
  | '/'
  | '%';

/** The types that `is` knows. */
export const typeNames = [
  'bool',
  'bytes',
  'duration',
  'float',
  'int',
  'latlng',
  'list',
  'map',
  'map_diff',
  'number',
  'path',
  'set',
  'string',
  'timestamp',
] as const;

export type TypeName = (typeof typeNames)[number];

/** One segment of a path literal: text, or the `...` of `$(...)`. */
export type PathPart = string | Expression;

export type Expression = { position: Position } & (
  | { kind: 'literal'; value: null | boolean | bigint | number | string | Uint8Array }
  | { kind: 'list'; elements: Expression[] }
  | { kind: 'map'; entries: { key: Expression; value: Expression }[] }
  | { kind: 'path'; parts: PathPart[] }
  | { kind: 'variable'; name: string }
  | { kind: 'member'; object: Expression; name: string }
  | { kind: 'index'; object: Expression; index: Expression }
  | { kind: 'range'; object: Expression; from: Expression; to: Expression }
  | { kind: 'call'; name: string; arguments: Expression[] }
  | { kind: 'method'; object: Expression; name: string; arguments: Expression[] }
  | { kind: 'unary'; operator: '!' | '-'; operand: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'is'; operand: Expression; type: TypeName }
  | { kind: 'conditional'; condition: Expression; whenTrue: Expression; whenFalse: Expression }
);

/** How tightly operators bind; higher is tighter. All are left-associative. */
export const precedences: Record<BinaryOperator | 'is', number> = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  in: 4,
  is: 4,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
};

/** What a request does; `read` and `write` in a file are expanded to these. */
export type Method = 'get' | 'list' | 'create' | 'update' | 'delete';

/** What may stand after `allow`, and which methods it means. */
export const operations = {
  get: ['get'],
  list: ['list'],
  create: ['create'],
  update: ['update'],
  delete: ['delete'],
  read: ['get', 'list'],
  write: ['create', 'update', 'delete'],
} as const satisfies Record<string, readonly Method[]>;

export type Operation = keyof typeof operations;

export type AllowStatement = {
  position: Position;
  operations: Operation[];
  /** Absent where the statement allows without a condition. */
  condition?: Expression;
};

export type FunctionDeclaration = {
  position: Position;
  name: string;
  parameters: string[];
  bindings: { position: Position; name: string; value: Expression }[];
  result: Expression;
};

/** One segment of a match pattern: text, `{name}`, or `{name=**}`. */
export type PatternSegment =
  | { kind: 'text'; text: string }
  | { kind: 'wildcard'; name: string }
  | { kind: 'rest'; name: string };

export type MatchBlock = {
  position: Position;
  pattern: PatternSegment[];
  functions: FunctionDeclaration[];
  allows: AllowStatement[];
  matches: MatchBlock[];
};

export type ServiceName = 'cloud.firestore' | 'firebase.storage';

export type ServiceBlock = {
  position: Position;
  name: ServiceName;
  functions: FunctionDeclaration[];
  matches: MatchBlock[];
};

export type RulesFile = {
  version: '1' | '2';
  /** Declared outside of the service. */
  functions: FunctionDeclaration[];
  service: ServiceBlock;
};
