/** A rules file made ready to decide requests: which match blocks a path is in, and whether one of their conditions holds. */
import type { Logger } from '../logger.ts';
import { checkRules } from './checker.ts';
import { booleanOf, type Evaluation, evaluate, type Frame, LimitError } from './evaluator.ts';
import { bindPattern, type QuestionPath } from './match-path.ts';
import { parseRules } from './parser.ts';
import { invalidRules } from './problem.ts';
import {
  type AllowStatement,
  type FunctionDeclaration,
  type MatchBlock,
  type Method,
  operations,
  type RulesFile,
  type ServiceName,
} from './syntax.ts';
import { describeValue, EvaluationError, type Path, type RulesValue } from './values.ts';

/** The cloud evaluates no more expressions for one request. */
const maxExpressions = 1000;

/** One question to the rules. */
export type RulesRequest = {
  method: Method;
  /** As match blocks see it: `databases/(default)/documents/…`, or `b/{bucket}/o/…`. */
  path: QuestionPath;
  /** The variable `request`. */
  request: RulesValue;
  /** The variable `resource`; null where there is none. */
  resource: RulesValue;
  /** Looks up other documents; see `Evaluation`. */
  document(path: Path, isAfter: boolean): RulesValue;
};

/** `reasons` says for the log why nothing allowed it, one sentence a statement that could have. */
export type Decision = { isAllowed: true } | { isAllowed: false; reasons: string[] };

/** Rules ready to decide. */
export type Ruleset = {
  readonly service: ServiceName;
  /** Never throws: what goes wrong in a condition denies. */
  decide(request: RulesRequest): Decision;
};

/** How to load a file. */
export type RulesetOptions = {
  /** The service that the file must be for. */
  service: ServiceName;
  /** What to call the source in messages. */
  file: string;
  /** Takes what `debug()` shows. */
  logger: Logger;
};

/**
 * Parses and checks a source.
 *
 * @throws LocalFirebaseError `invalid_rules`, with `file:line:column: message` for each problem.
 */
export function loadRuleset(source: string, { service, file, logger }: RulesetOptions): Ruleset {
  const parsed = parseRules(source);
  if (parsed.file === null) throw invalidRules(file, parsed.problems);
  const problems = checkRules(parsed.file);
  if (problems.length > 0) throw invalidRules(file, problems);
  const { name, position } = parsed.file.service;
  if (name !== service) {
    throw invalidRules(file, [{ ...position, message: `Expected rules for ${service}, found ${name}.` }]);
  }
  return createRuleset(parsed.file, { file, logger });
}

/** A ruleset from a tree that has been checked. */
export function createRuleset(
  rules: RulesFile,
  { file, logger }: Pick<RulesetOptions, 'file' | 'logger'>,
): Ruleset {
  const { service, version } = rules;
  const functionMaps = new Map<readonly FunctionDeclaration[], ReadonlyMap<string, FunctionDeclaration>>();

  function frameOf(
    declared: readonly FunctionDeclaration[],
    variables: ReadonlyMap<string, RulesValue>,
    parent: Frame | null,
  ): Frame {
    let functions = functionMaps.get(declared);
    if (functions === undefined) {
      functions = new Map(declared.map((declaration) => [declaration.name, declaration]));
      functionMaps.set(declared, functions);
    }
    return { functions, variables, parent };
  }

  /** The statements for a path and method, each with the frame to evaluate it in. */
  function* statementsFor(
    blocks: readonly MatchBlock[],
    path: QuestionPath,
    outer: Frame,
    method: Method,
  ): Generator<{ statement: AllowStatement; frame: Frame }> {
    for (const block of blocks) {
      for (const { variables, rest } of bindPattern(block.pattern, path, version)) {
        const frame = frameOf(block.functions, variables, outer);
        if (rest.length === 0) {
          for (const statement of block.allows) if (isFor(statement, method)) yield { statement, frame };
        }
        yield* statementsFor(block.matches, rest, frame, method);
      }
    }
  }

  return {
    service: service.name,
    decide({ method, path, request, resource, document }) {
      const evaluation: Evaluation = {
        service: service.name,
        budget: { expressionsLeft: maxExpressions },
        document,
        debug(value, { line, column }) {
          logger.info(
            { place: `${file}:${line}:${column}`, value: describeValue(value) },
            'debug() of the rules',
          );
        },
      };
      const variables = new Map([
        ['request', request],
        ['resource', resource],
      ]);
      const outermost = frameOf(rules.functions, variables, null);
      const serviceFrame = frameOf(service.functions, new Map(), outermost);
      const reasons: string[] = [];
      for (const { statement, frame } of statementsFor(service.matches, path, serviceFrame, method)) {
        const place = `${file}:${statement.position.line}`;
        try {
          const { condition } = statement;
          if (condition === undefined || booleanOf(evaluate(condition, frame, evaluation))) {
            return { isAllowed: true };
          }
          reasons.push(`${place}: the condition is false.`);
        } catch (error) {
          if (!(error instanceof EvaluationError || error instanceof LimitError)) throw error;
          reasons.push(`${place}: ${error.message}`);
          if (error instanceof LimitError) break;
        }
      }
      return {
        isAllowed: false,
        reasons: reasons.length > 0 ? reasons : [`No "allow ${method}" for this path.`],
      };
    },
  };
}

function isFor(statement: AllowStatement, method: Method): boolean {
  return statement.operations.some((operation) =>
    (operations[operation] as readonly Method[]).includes(method),
  );
}
