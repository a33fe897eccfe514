/** Security rules apart from the services: parse a file, look at its tree, print it again, and ask it to decide. */
export { authValue, type Identity, jsonValue } from './authentication.ts';
export { checkRules, childrenOf } from './checker.ts';
export { resourceValue, rulesValueOf } from './firestore-values.ts';
export { anySegment, anySegments, type QuestionPath } from './match-path.ts';
export { parseRules } from './parser.ts';
export { printExpression, printRules } from './printer.ts';
export type { RulesProblem } from './problem.ts';
export {
  createRuleset,
  type Decision,
  loadRuleset,
  type Ruleset,
  type RulesetOptions,
  type RulesRequest,
} from './ruleset.ts';
export {
  type AllowStatement,
  type BinaryOperator,
  type Expression,
  type FunctionDeclaration,
  type MatchBlock,
  type Method,
  type Operation,
  operations,
  type PathPart,
  type PatternSegment,
  type Position,
  type RulesFile,
  type ServiceBlock,
  type ServiceName,
  type TypeName,
  typeNames,
} from './syntax.ts';
export type { RulesMap, RulesValue } from './values.ts';
