/** Makes every small mistake that a rules file could have: each mutant differs from the file in one place. */
import {
  type AllowStatement,
  type BinaryOperator,
  checkRules,
  type Expression,
  type MatchBlock,
  type Operation,
  operations,
  type PatternSegment,
  printExpression,
  type RulesFile,
} from '@firepod/local-firebase/rules';

/** `description` says where and what, as `line 12: isOwner(userId) → true`. */
export type Mutant = { description: string; rules: RulesFile };

/** The description is made on demand, since all edits are listed anew for each mutant. */
type Edit = { describe: () => string; apply: () => void };

/** All mutants that still compile: a mistake that the compiler refuses needs no test. */
export function mutantsOf(rules: RulesFile): Mutant[] {
  return editsOf(rules).flatMap((_, index) => {
    const copy = structuredClone(rules);
    const { describe, apply } = editsOf(copy)[index]!;
    const description = describe();
    apply();
    return checkRules(copy).length > 0 ? [] : [{ description, rules: copy }];
  });
}

/** Every edit that can be made to a tree; none is made yet. */
function editsOf(rules: RulesFile): Edit[] {
  const edits: Edit[] = [];
  for (const declaration of rules.service.functions) {
    edits.push(...conditionEdits(declaration.result, (changed) => set(declaration, { result: changed })));
  }
  for (const block of rules.service.matches) edits.push(...matchEdits(block));
  return edits;
}

function set<T extends object>(target: T, changes: Partial<T>): void {
  Object.assign(target, changes);
}

function matchEdits(block: MatchBlock): Edit[] {
  const { line } = block.position;
  const edits: Edit[] = block.pattern.flatMap((segment, index) =>
    changedSegments(segment).map((changed) => ({
      describe: () => `line ${line}: ${showSegment(segment)} → ${showSegment(changed)}`,
      apply: () => {
        block.pattern[index] = changed;
      },
    })),
  );
  for (const declaration of block.functions) {
    edits.push(...conditionEdits(declaration.result, (changed) => set(declaration, { result: changed })));
  }
  for (const [index, statement] of block.allows.entries()) {
    edits.push({
      describe: () => `line ${statement.position.line}: allow ${statement.operations.join(', ')} removed`,
      apply: () => block.allows.splice(index, 1),
    });
    edits.push(...allowEdits(statement));
  }
  return [...edits, ...block.matches.flatMap(matchEdits)];
}

function showSegment(segment: PatternSegment): string {
  if (segment.kind === 'text') return segment.text;
  return segment.kind === 'rest' ? `{${segment.name}=**}` : `{${segment.name}}`;
}

/** A name that is open, or another; a wildcard that is wider or narrower. */
function changedSegments(segment: PatternSegment): PatternSegment[] {
  switch (segment.kind) {
    case 'text':
      return [
        { kind: 'wildcard', name: 'anyName' },
        { kind: 'text', text: `${segment.text}x` },
      ];
    case 'wildcard':
      return [{ kind: 'rest', name: segment.name }];
    case 'rest':
      return [{ kind: 'wildcard', name: segment.name }];
  }
}

function allowEdits(statement: AllowStatement): Edit[] {
  const { line } = statement.position;
  const edits: Edit[] = [];
  const before = statement.operations;
  const described = (changed: Operation[]): Edit => ({
    describe: () => `line ${line}: allow ${before.join(', ')} → ${changed.join(', ')}`,
    apply: () => set(statement, { operations: changed }),
  });
  const meant = new Set(
    statement.operations.flatMap((operation) => operations[operation] as readonly Operation[]),
  );
  for (const operation of ['get', 'list', 'create', 'update', 'delete'] as const) {
    // Without one that it has, or with one more.
    if (!meant.has(operation)) edits.push(described([...statement.operations, operation]));
    else if (meant.size > 1) edits.push(described([...meant].filter((other) => other !== operation)));
  }
  const { condition } = statement;
  if (condition === undefined) return edits;
  edits.push({
    describe: () => `line ${line}: condition removed`,
    apply: () => {
      delete statement.condition;
    },
  });
  return [...edits, ...conditionEdits(condition, (changed) => set(statement, { condition: changed }))];
}

/** Edits of an expression that is true or false, and of everything in it. */
function conditionEdits(expression: Expression, replace: (changed: Expression) => void): Edit[] {
  const { position } = expression;
  const edits: Edit[] = [
    edit(expression, { kind: 'unary', operator: '!', operand: expression, position }, replace),
    edit(expression, { kind: 'literal', value: true, position }, replace),
  ];
  if (expression.kind === 'unary') {
    edits.push(edit(expression, expression.operand, replace));
    return [
      ...edits,
      ...conditionEdits(expression.operand, (changed) => set(expression, { operand: changed })),
    ];
  }
  if (expression.kind === 'binary' && (expression.operator === '&&' || expression.operator === '||')) {
    const { left, right, operator } = expression;
    edits.push(
      edit(expression, left, replace),
      edit(expression, right, replace),
      edit(expression, { ...expression, operator: operator === '&&' ? '||' : '&&' }, replace),
      ...conditionEdits(left, (changed) => set(expression, { left: changed })),
      ...conditionEdits(right, (changed) => set(expression, { right: changed })),
    );
    return edits;
  }
  return [...edits, ...valueEdits(expression, replace)];
}

/** The same comparison, and what is easily mistaken for it. */
const otherOperators: Partial<Record<BinaryOperator, BinaryOperator[]>> = {
  '==': ['!='],
  '!=': ['=='],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '*': ['+'],
  '+': ['-'],
  '-': ['+'],
};
const otherMethods: Record<string, string[]> = {
  hasOnly: ['hasAny', 'hasAll'],
  hasAny: ['hasOnly', 'hasAll'],
  hasAll: ['hasAny', 'hasOnly'],
  affectedKeys: ['addedKeys', 'removedKeys', 'changedKeys', 'unchangedKeys'],
};

/** Edits of an expression of any type, and of everything in it. */
function valueEdits(expression: Expression, replace: (changed: Expression) => void): Edit[] {
  const changed = (change: Expression) => edit(expression, change, replace);
  const inside = <E extends object>(owner: E, key: keyof E) =>
    valueEdits(owner[key] as Expression, (value) => set(owner, { [key]: value } as Partial<E>));
  const insideList = (list: Expression[]) =>
    list.flatMap((element, index) =>
      valueEdits(element, (value) => {
        list[index] = value;
      }),
    );
  switch (expression.kind) {
    case 'literal':
      return otherLiterals(expression.value).map((value) => changed({ ...expression, value }));
    case 'binary':
      return [
        ...(otherOperators[expression.operator] ?? []).map((operator) =>
          changed({ ...expression, operator }),
        ),
        ...inside(expression, 'left'),
        ...inside(expression, 'right'),
      ];
    case 'is':
      return [
        ...(['string', 'bool', 'int'] as const)
          .filter((type) => type !== expression.type)
          .map((type) => changed({ ...expression, type })),
        ...inside(expression, 'operand'),
      ];
    case 'list':
      return [
        ...expression.elements.map((_, index) =>
          changed({
            ...expression,
            elements: expression.elements.filter((_element, other) => other !== index),
          }),
        ),
        ...insideList(expression.elements),
      ];
    case 'member':
      return [
        ...(expression.name === 'resource'
          ? [changed({ ...expression.object, kind: 'variable', name: 'resource' })]
          : []),
        ...inside(expression, 'object'),
      ];
    case 'variable':
      return expression.name === 'resource' ? [changed(requestResource(expression))] : [];
    case 'method':
      return [
        ...(otherMethods[expression.name] ?? []).map((name) => changed({ ...expression, name })),
        ...inside(expression, 'object'),
        ...insideList(expression.arguments),
      ];
    case 'call':
      return insideList(expression.arguments);
    case 'conditional':
      return [
        changed({ ...expression, whenTrue: expression.whenFalse, whenFalse: expression.whenTrue }),
        ...inside(expression, 'condition'),
        ...inside(expression, 'whenTrue'),
        ...inside(expression, 'whenFalse'),
      ];
    case 'unary':
      return inside(expression, 'operand');
    case 'index':
      return [...inside(expression, 'object'), ...inside(expression, 'index')];
    case 'range':
    case 'map':
    case 'path':
      throw new Error(`No rule of ours has a ${expression.kind}: say here how to mutate one.`);
  }
}

function requestResource({ position }: Expression): Expression {
  return {
    kind: 'member',
    object: { kind: 'variable', name: 'request', position },
    name: 'resource',
    position,
  };
}

function otherLiterals(value: (Expression & { kind: 'literal' })['value']): (typeof value)[] {
  if (typeof value === 'bigint') return [value + 1n, value - 1n];
  if (typeof value === 'string') return [`${value}x`, ''];
  if (typeof value === 'boolean') return [!value];
  return value === null ? [false] : [];
}

function edit(before: Expression, after: Expression, replace: (changed: Expression) => void): Edit {
  return {
    describe: () => `line ${before.position.line}: ${printExpression(before)} → ${printExpression(after)}`,
    apply: () => replace(after),
  };
}
