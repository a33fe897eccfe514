/** Finds what parses but cannot work: unknown names, wrong numbers of arguments, recursion, and the cloud's limits. */
import { documentFunctions, libraryFunctions, namespaces } from './functions.ts';
import { methodArities } from './methods.ts';
import { maxProblems, type RulesProblem } from './problem.ts';
import type {
  Expression,
  FunctionDeclaration,
  MatchBlock,
  PatternSegment,
  Position,
  RulesFile,
} from './syntax.ts';

// https://firebase.google.com/docs/firestore/security/rules-structure#security_rule_limits
const maxCallDepth = 20;
const maxParameters = 7;
const maxBindings = 10;
const maxWildcards = 20;
const maxPathSegments = 100;

type Scope = {
  functions: ReadonlyMap<string, FunctionDeclaration>;
  variables: ReadonlySet<string>;
  parent: Scope | null;
};

/** What is wrong with a file that parsed; nothing when it is empty. */
export function checkRules({ version, functions, service }: RulesFile): RulesProblem[] {
  const problems: RulesProblem[] = [];
  /** Which declared functions each declared function calls. */
  const calls = new Map<FunctionDeclaration, Set<FunctionDeclaration>>();

  function report({ line, column }: Position, message: string): void {
    if (problems.length < maxProblems) problems.push({ line, column, message });
  }

  function scopeOf(
    declared: readonly FunctionDeclaration[],
    variables: Iterable<string>,
    parent: Scope | null,
  ): Scope {
    const byName = new Map<string, FunctionDeclaration>();
    for (const declaration of declared) {
      const { name, position } = declaration;
      if (byName.has(name)) report(position, `The function "${name}" is declared twice in this block.`);
      byName.set(name, declaration);
    }
    return { functions: byName, variables: new Set(variables), parent };
  }

  function checkMatch(block: MatchBlock, outer: Scope, above: readonly PatternSegment[]): void {
    const path = [...above, ...block.pattern];
    const names = block.pattern.filter((segment) => segment.kind !== 'text').map(({ name }) => name);
    checkPattern(block, path);
    const scope = scopeOf(block.functions, names, outer);
    for (const declaration of block.functions) checkFunction(declaration, scope);
    for (const { condition } of block.allows)
      if (condition !== undefined) checkExpression(condition, scope, null);
    for (const inner of block.matches) checkMatch(inner, scope, path);
  }

  function checkPattern({ pattern, position, matches }: MatchBlock, path: readonly PatternSegment[]): void {
    if (path.length > maxPathSegments) report(position, `A path has more than ${maxPathSegments} segments.`);
    const wildcards = path.filter((segment) => segment.kind !== 'text');
    if (wildcards.length > maxWildcards) report(position, `A path has more than ${maxWildcards} wildcards.`);
    const repeated = wildcards.find(
      ({ name }, index) => wildcards.findIndex((other) => other.name === name) < index,
    );
    if (repeated !== undefined)
      report(position, `The wildcard "${repeated.name}" occurs twice in this path.`);
    const rests = pattern.filter(({ kind }) => kind === 'rest');
    if (rests.length > 1) report(position, 'A match path has at most one {name=**}.');
    const isLast = pattern.at(-1)?.kind === 'rest' && matches.length === 0;
    if (version === '1' && rests.length > 0 && !isLast) {
      report(position, "In version '1' {name=**} must end the path: write rules_version = '2'.");
    }
  }

  function checkFunction(declaration: FunctionDeclaration, outer: Scope): void {
    const { name, parameters, bindings, result, position } = declaration;
    calls.set(declaration, new Set());
    if (parameters.length > maxParameters) {
      report(position, `The function "${name}" has more than ${maxParameters} parameters.`);
    }
    if (bindings.length > maxBindings) {
      report(position, `The function "${name}" has more than ${maxBindings} "let" variables.`);
    }
    if (new Set(parameters).size < parameters.length) {
      report(position, `The function "${name}" has two parameters of one name.`);
    }
    const variables = new Set(parameters);
    const scope: Scope = { functions: new Map(), variables, parent: outer };
    for (const binding of bindings) {
      checkExpression(binding.value, scope, declaration);
      if (variables.has(binding.name)) {
        report(binding.position, `The variable "${binding.name}" is declared twice in "${name}".`);
      }
      variables.add(binding.name);
    }
    checkExpression(result, scope, declaration);
  }

  /** @param caller The function that the expression is in, if any. */
  function checkExpression(expression: Expression, scope: Scope, caller: FunctionDeclaration | null): void {
    const check = (inner: Expression) => checkExpression(inner, scope, caller);
    switch (expression.kind) {
      case 'variable':
        if (!isVariable(expression.name, scope)) {
          report(expression.position, `There is no variable "${expression.name}" here.`);
        }
        break;
      case 'call':
        checkCall(expression, scope, caller);
        break;
      case 'method':
        checkMethod(expression, scope);
        if (isNamespace(expression.object, scope)) {
          for (const argument of expression.arguments) check(argument);
          return;
        }
        break;
    }
    for (const inner of childrenOf(expression)) check(inner);
  }

  function checkCall(
    { name, arguments: given, position }: Expression & { kind: 'call' },
    scope: Scope,
    caller: FunctionDeclaration | null,
  ): void {
    const declared = findFunction(name, scope);
    if (declared !== undefined && caller !== null) calls.get(caller)?.add(declared);
    const arity = declared?.parameters.length ?? builtInArity(name);
    if (arity === undefined) report(position, `There is no function "${name}" here.`);
    else checkArity(name, arity, given.length, position);
  }

  function checkMethod(
    { object, name, arguments: given, position }: Expression & { kind: 'method' },
    scope: Scope,
  ): void {
    if (isNamespace(object, scope)) {
      const fullName = `${object.name}.${name}`;
      const arity = builtInArity(fullName);
      if (arity === undefined) report(position, `There is no function "${fullName}" here.`);
      else checkArity(fullName, arity, given.length, position);
      return;
    }
    const arities = methodArities(name);
    if (arities.size === 0) report(position, `No type has a method "${name}".`);
    else if (!arities.has(given.length)) checkArity(name, [...arities].join(' or '), given.length, position);
  }

  function checkArity(name: string, expected: number | string, given: number, position: Position): void {
    if (expected === given) return;
    report(position, `"${name}" takes ${expected} argument${expected === 1 ? '' : 's'}, got ${given}.`);
  }

  function builtInArity(name: string): number | undefined {
    if (name === 'debug') return 1;
    const lookUps = documentFunctions[service.name];
    if (Object.hasOwn(lookUps, name)) return lookUps[name];
    return Object.hasOwn(libraryFunctions, name) ? libraryFunctions[name]!.arity : undefined;
  }

  /** The longest chain of calls that starts with each function. */
  function checkCallDepths(): void {
    const depths = new Map<FunctionDeclaration, number | 'open'>();
    const reported = new Set<FunctionDeclaration>();
    function depthOf(declaration: FunctionDeclaration): number {
      const known = depths.get(declaration);
      if (known === 'open') {
        if (!reported.has(declaration)) {
          report(
            declaration.position,
            `The function "${declaration.name}" calls itself, which rules may not.`,
          );
        }
        reported.add(declaration);
        return 0;
      }
      if (known !== undefined) return known;
      depths.set(declaration, 'open');
      const inner = [...(calls.get(declaration) ?? [])].map(depthOf);
      const depth = 1 + Math.max(0, ...inner);
      depths.set(declaration, depth);
      if (depth === maxCallDepth + 1) {
        report(
          declaration.position,
          `Calls from "${declaration.name}" go deeper than ${maxCallDepth} functions.`,
        );
      }
      return depth;
    }
    for (const declaration of calls.keys()) depthOf(declaration);
  }

  const outermost = scopeOf(functions, ['request', 'resource'], null);
  for (const declaration of functions) checkFunction(declaration, outermost);
  const scope = scopeOf(service.functions, [], outermost);
  for (const declaration of service.functions) checkFunction(declaration, scope);
  for (const block of service.matches) checkMatch(block, scope, []);
  checkCallDepths();
  return problems;
}

function isVariable(name: string, scope: Scope | null): boolean {
  return scope !== null && (scope.variables.has(name) || isVariable(name, scope.parent));
}

function findFunction(name: string, scope: Scope | null): FunctionDeclaration | undefined {
  return scope === null ? undefined : (scope.functions.get(name) ?? findFunction(name, scope.parent));
}

/** Whether it is the `math` of `math.abs(…)`, and no variable of that name. */
function isNamespace(object: Expression, scope: Scope): object is Expression & { kind: 'variable' } {
  return object.kind === 'variable' && namespaces.has(object.name) && !isVariable(object.name, scope);
}

/** The expressions directly within one. */
export function childrenOf(expression: Expression): Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'variable':
      return [];
    case 'list':
      return expression.elements;
    case 'map':
      return expression.entries.flatMap(({ key, value }) => [key, value]);
    case 'path':
      return expression.parts.filter((part): part is Expression => typeof part !== 'string');
    case 'member':
      return [expression.object];
    case 'index':
      return [expression.object, expression.index];
    case 'range':
      return [expression.object, expression.from, expression.to];
    case 'call':
      return expression.arguments;
    case 'method':
      return [expression.object, ...expression.arguments];
    case 'unary':
    case 'is':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'conditional':
      return [expression.condition, expression.whenTrue, expression.whenFalse];
  }
}
