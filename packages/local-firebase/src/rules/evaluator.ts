/** Computes the value of an expression by walking its tree. */

import { calculate, negate } from './arithmetic.ts';
import { areEqual, contains, holds, impliedComparison, mirrored, unknownValue } from './comparison.ts';
import { documentFunctions, libraryFunctions, namespaces } from './functions.ts';
import { callMethod } from './methods.ts';
import type { BinaryOperator, Expression, FunctionDeclaration, Position, ServiceName } from './syntax.ts';
import {
  EvaluationError,
  isKind,
  isList,
  isMap,
  type Path,
  pathOf,
  type RulesValue,
  typeOf,
} from './values.ts';

/** A limit of the whole request is reached: no `||` can help, the request is denied. */
export class LimitError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LimitError';
  }
}

/** The functions and variables of one block or function, over those of the enclosing one. */
export type Frame = {
  functions: ReadonlyMap<string, FunctionDeclaration>;
  variables: ReadonlyMap<string, RulesValue>;
  parent: Frame | null;
};

/** What the evaluation of one request needs beside the tree. */
export type Evaluation = {
  service: ServiceName;
  /** How many more expressions may be evaluated. */
  budget: { expressionsLeft: number };
  /**
   * Looks up a document.
   *
   * @param isAfter Whether as the request would leave it.
   * @returns Null where there is none.
   * @throws EvaluationError for a path that is no document's, LimitError after too many.
   */
  document(path: Path, isAfter: boolean): RulesValue;
  /** Takes what `debug()` shows. */
  debug(value: RulesValue, position: Position): void;
};

type Node<K extends Expression['kind']> = Expression & { kind: K };

/** @throws EvaluationError when it has no value, LimitError at a limit of the request. */
export function evaluate(expression: Expression, frame: Frame, evaluation: Evaluation): RulesValue {
  if (expression.kind === 'literal') return expression.value;
  if (evaluation.budget.expressionsLeft-- <= 0) {
    throw new LimitError('The request needs more expressions than may be evaluated.');
  }
  const value = (inner: Expression) => evaluate(inner, frame, evaluation);
  switch (expression.kind) {
    case 'list':
      return expression.elements.map(value);
    case 'map':
      return new Map(expression.entries.map((entry) => [keyOf(value(entry.key)), value(entry.value)]));
    case 'path':
      return pathOf(
        expression.parts.flatMap((part) => (typeof part === 'string' ? [part] : segmentsOf(value(part)))),
      );
    case 'variable':
      return variableOf(expression.name, frame);
    case 'member':
      return memberOf(value(expression.object), expression.name);
    case 'index':
      return elementOf(value(expression.object), value(expression.index));
    case 'range':
      return rangeOf(value(expression.object), value(expression.from), value(expression.to));
    case 'call':
      return call(expression, frame, evaluation);
    case 'method':
      return callOn(expression, frame, evaluation);
    case 'unary':
      return expression.operator === '!'
        ? !booleanOf(value(expression.operand))
        : negate(value(expression.operand));
    case 'is':
      return isOfType(value(expression.operand), expression.type);
    case 'conditional':
      return value(booleanOf(value(expression.condition)) ? expression.whenTrue : expression.whenFalse);
    case 'binary':
      if (expression.operator === '&&' || expression.operator === '||') {
        return connect(expression, frame, evaluation);
      }
      return combine(expression.operator, value(expression.left), value(expression.right));
  }
}

/** @throws EvaluationError when it is no boolean. */
export function booleanOf(value: RulesValue): boolean {
  if (typeof value === 'boolean') return value;
  if (isKind(value, 'unknown')) throw unknownValue();
  throw new EvaluationError(`Expected a bool, got ${typeOf(value)}.`);
}

/** An error on one side does not count where the other side alone decides. */
function connect({ operator, left, right }: Node<'binary'>, frame: Frame, evaluation: Evaluation): boolean {
  const deciding = operator === '||';
  let leftError: EvaluationError | undefined;
  try {
    if (booleanOf(evaluate(left, frame, evaluation)) === deciding) return deciding;
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    leftError = error;
  }
  if (booleanOf(evaluate(right, frame, evaluation)) === deciding) return deciding;
  if (leftError !== undefined) throw leftError;
  return !deciding;
}

function combine(
  operator: Exclude<BinaryOperator, '&&' | '||'>,
  left: RulesValue,
  right: RulesValue,
): RulesValue {
  switch (operator) {
    case '==':
      return areEqual(left, right);
    case '!=':
      if (isKind(left, 'unknown')) return impliedComparison('!=', left, right);
      if (isKind(right, 'unknown')) return impliedComparison('!=', right, left);
      return !areEqual(left, right);
    case 'in':
      return isIn(left, right);
    case '<':
    case '<=':
    case '>':
    case '>=':
      if (isKind(left, 'unknown')) return impliedComparison(operator, left, right);
      if (isKind(right, 'unknown')) return impliedComparison(mirrored[operator], right, left);
      return holds(operator, left, right);
    default:
      return calculate(operator, left, right);
  }
}

function isIn(element: RulesValue, container: RulesValue): boolean {
  if (isKind(container, 'unknown')) return impliedComparison('contains', container, element);
  if (isList(container)) return contains(container, element);
  if (isKind(container, 'set')) return contains(container.elements, element);
  if (isMap(container)) return container.has(keyOf(element));
  if (isKind(container, 'partial_map')) {
    // A filter on a field matches only documents that have it.
    if (container.known.has(keyOf(element))) return true;
    throw unknownValue();
  }
  throw new EvaluationError(`"in" looks into a list, a set or a map, not into ${typeOf(container)}.`);
}

function isOfType(value: RulesValue, type: Node<'is'>['type']): boolean {
  const actual = typeOf(value);
  if (actual === 'unknown') throw unknownValue();
  return type === 'number' ? actual === 'int' || actual === 'float' : actual === type;
}

function keyOf(value: RulesValue): string {
  if (typeof value === 'string') return value;
  if (isKind(value, 'unknown')) throw unknownValue();
  throw new EvaluationError(`The key of a map is a string, not ${typeOf(value)}.`);
}

/** What `$(…)` adds to a path: one segment, or those of a path. */
function segmentsOf(value: RulesValue): readonly string[] {
  if (isKind(value, 'path')) return value.segments;
  if (isKind(value, 'unknown')) throw unknownValue();
  if (typeof value === 'string') return [value];
  throw new EvaluationError(`A path takes strings and paths, not ${typeOf(value)}.`);
}

function findVariable(name: string, frame: Frame): RulesValue | undefined {
  for (let scope: Frame | null = frame; scope !== null; scope = scope.parent) {
    const value = scope.variables.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function variableOf(name: string, frame: Frame): RulesValue {
  const value = findVariable(name, frame);
  if (value === undefined) throw new EvaluationError(`There is no variable "${name}".`);
  return value;
}

function memberOf(object: RulesValue, name: string): RulesValue {
  if (isMap(object)) {
    const value = object.get(name);
    if (value === undefined) throw new EvaluationError(`Property ${name} is undefined on object.`);
    return value;
  }
  if (isKind(object, 'partial_map')) {
    const value = object.known.get(name);
    if (value === undefined) throw unknownValue();
    return value;
  }
  if (isKind(object, 'unknown')) throw unknownValue();
  if (object === null) throw new EvaluationError('Null value error.');
  throw new EvaluationError(`A value of type ${typeOf(object)} has no property "${name}".`);
}

function elementOf(object: RulesValue, index: RulesValue): RulesValue {
  if (isMap(object) || isKind(object, 'partial_map')) return memberOf(object, keyOf(index));
  if (isKind(object, 'unknown') || isKind(index, 'unknown')) throw unknownValue();
  const elements = sequenceOf(object);
  if (typeof index !== 'bigint') throw new EvaluationError(`An index is an int, not ${typeOf(index)}.`);
  const element = index < 0n ? undefined : elements[Number(index)];
  if (element === undefined) throw new EvaluationError(`The index ${index} is out of bounds.`);
  return element;
}

/** A string's characters are its code points. */
function sequenceOf(object: RulesValue): readonly RulesValue[] {
  if (isList(object)) return object;
  if (typeof object === 'string') return [...object];
  if (isKind(object, 'path')) return object.segments;
  throw new EvaluationError(`A value of type ${typeOf(object)} has no elements.`);
}

function rangeOf(object: RulesValue, from: RulesValue, to: RulesValue): RulesValue {
  if ([object, from, to].some((value) => isKind(value, 'unknown'))) throw unknownValue();
  const elements = object instanceof Uint8Array ? object : sequenceOf(object);
  if (typeof from !== 'bigint' || typeof to !== 'bigint')
    throw new EvaluationError('A range has ints as bounds.');
  if (from < 0n || from > to || to > BigInt(elements.length)) {
    throw new EvaluationError(`The range ${from}:${to} is out of bounds.`);
  }
  const part = elements.slice(Number(from), Number(to));
  return typeof object === 'string' ? (part as string[]).join('') : (part as RulesValue);
}

function call(
  { name, arguments: given, position }: Node<'call'>,
  frame: Frame,
  evaluation: Evaluation,
): RulesValue {
  const parameters = given.map((argument) => evaluate(argument, frame, evaluation));
  for (let scope: Frame | null = frame; scope !== null; scope = scope.parent) {
    const declaration = scope.functions.get(name);
    if (declaration !== undefined) return callDeclared(declaration, parameters, scope, evaluation);
  }
  return callBuiltIn(name, parameters, position, evaluation);
}

/** A function sees what its own block sees, and not what its caller does. */
function callDeclared(
  { parameters, bindings, result }: FunctionDeclaration,
  values: readonly RulesValue[],
  declaredIn: Frame,
  evaluation: Evaluation,
): RulesValue {
  const variables = new Map<string, RulesValue>(parameters.map((name, index) => [name, values[index]!]));
  const frame: Frame = { functions: new Map(), variables, parent: declaredIn };
  for (const { name, value } of bindings) variables.set(name, evaluate(value, frame, evaluation));
  return evaluate(result, frame, evaluation);
}

function callBuiltIn(
  name: string,
  parameters: readonly RulesValue[],
  position: Position,
  evaluation: Evaluation,
): RulesValue {
  const [first = null] = parameters;
  if (name === 'debug') {
    evaluation.debug(first, position);
    return first;
  }
  if (Object.hasOwn(documentFunctions[evaluation.service], name)) {
    if (isKind(first, 'unknown')) throw unknownValue();
    if (!isKind(first, 'path')) throw new EvaluationError(`${name}() takes a path, not ${typeOf(first)}.`);
    const document = evaluation.document(first, name.endsWith('After'));
    return /exists/.test(name) ? document !== null : document;
  }
  const library = Object.hasOwn(libraryFunctions, name) ? libraryFunctions[name] : undefined;
  if (library === undefined) throw new EvaluationError(`There is no function "${name}".`);
  if (parameters.some((value) => isKind(value, 'unknown'))) throw unknownValue();
  return library.call(parameters);
}

function callOn(expression: Node<'method'>, frame: Frame, evaluation: Evaluation): RulesValue {
  const { object, name, arguments: given, position } = expression;
  const isNamespace =
    object.kind === 'variable' &&
    namespaces.has(object.name) &&
    findVariable(object.name, frame) === undefined;
  const self = isNamespace ? null : evaluate(object, frame, evaluation);
  const parameters = given.map((argument) => evaluate(argument, frame, evaluation));
  return isNamespace
    ? callBuiltIn(`${object.name}.${name}`, parameters, position, evaluation)
    : callMethod(self, name, parameters);
}
