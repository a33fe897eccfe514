/** One request that the rules must allow or deny, and the way to ask a ruleset about it without any server. */
import {
  anySegment,
  anySegments,
  authValue,
  jsonValue,
  type Method,
  type QuestionPath,
  type Ruleset,
  type RulesValue,
} from '@firepod/local-firebase/rules';

/** Fields as JSON; a Date is a timestamp. */
export type CaseFields = Record<string, unknown>;

export type RulesCase = {
  /** Whether it must be allowed. */
  allowed: boolean;
  /** Who asks; null is nobody. */
  uid: string | null;
  method: Method;
  /** Below `documents` or `o`. In lists `*` is a name that may be anything, `**` any number of them. */
  path: string;
  /** The document or object that is there. */
  before?: CaseFields;
  /** What the write would leave. */
  after?: CaseFields;
};

/** Whether the ruleset decides the case as it must. */
export function isDecidedRight(ruleset: Ruleset, rulesCase: RulesCase): boolean {
  const { uid, method, before, after, allowed } = rulesCase;
  const isFirestore = ruleset.service === 'cloud.firestore';
  const resource = (fields: CaseFields | undefined): RulesValue => {
    if (fields === undefined) return null;
    return isFirestore ? new Map([['data', rulesValue(fields)]]) : rulesValue(fields);
  };
  const identity = uid === null ? null : { uid, claims: { sub: uid } };
  const decision = ruleset.decide({
    method,
    path: questionPath(rulesCase.path, isFirestore),
    request: new Map<string, RulesValue>([
      ['auth', authValue(identity)],
      ['method', method],
      ...(after === undefined ? [] : [['resource', resource(after)] as const]),
    ]),
    resource: resource(before),
    document: () => null,
  });
  return decision.isAllowed === allowed;
}

/** How a case reads in a report. */
export function describeCase({ allowed, uid, method, path, before, after }: RulesCase): string {
  const data = [before, after].map((fields) => (fields === undefined ? '' : ` ${JSON.stringify(fields)}`));
  return `${uid ?? 'nobody'} ${allowed ? 'may' : 'may not'} ${method} ${path}${data.join(' →')}`;
}

function questionPath(path: string, isFirestore: boolean): QuestionPath {
  const above = isFirestore ? ['databases', '(default)', 'documents'] : ['b', 'bucket', 'o'];
  const below = path.split('/').filter((segment) => segment !== '');
  return [...above, ...below].map((segment) => {
    if (segment === '**') return anySegments;
    return segment === '*' ? anySegment : segment;
  });
}

function rulesValue(value: unknown): RulesValue {
  if (value instanceof Date) return { kind: 'timestamp', nanos: BigInt(value.getTime()) * 1_000_000n };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return jsonValue(value);
  return new Map(Object.entries(value).map(([key, inner]) => [key, rulesValue(inner)]));
}
