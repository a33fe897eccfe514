/** The two doors of a request: the function's, which is strict, and the worker's, which tolerates what it does not know. */
import type { z } from 'zod';
import { CONTRACT_VERSION, DATA_URL_MAX_CHARACTERS, DOCUMENT_DATA_URL_MAX_CHARACTERS } from './limits.ts';
import { nearestName } from './nearest-name.ts';
import { isFileUid, isRequestId, isUserId, TASK_TYPES, type TaskType } from './paths.ts';
import { type Checked, missing, notAllowed, type Problem, shorten } from './problem.ts';
import {
  expectationOf,
  type GenerationRequest,
  isRequestField,
  REQUEST_FIELDS,
  REQUEST_SCHEMAS,
  tasksOf,
} from './request-fields.ts';
import { type SourcePlaces, type SourceRules, sourceFault } from './source-url.ts';

/** A request that was found good: its fields exactly as they were sent, and the task that they mean. */
export interface ValidRequest {
  readonly request: GenerationRequest;
  readonly task: TaskType;
}

/** What the function's door lets in. */
export interface Submission extends ValidRequest {
  readonly requestId: string | null;
}

/** What the worker's door lets in. */
export interface JobInput extends ValidRequest {
  /** Null only where results go back as data URLs. */
  readonly userId: string | null;
  readonly fileUid: string | null;
  readonly useCloudStorage: boolean;
  /** Fields that this worker does not know, for `generation_data.warnings`. */
  readonly warnings: readonly string[];
}

const REQUEST_ID = '8 to 64 letters, digits, "_" or "-"';
const USER_ID = '1 to 128 characters without "/", not ".", ".." or "__x__"';
const FILE_UID = '1 to 128 letters, digits or "-"';

/** Fields that travel beside the request in a job's input and are no part of `request_data`. */
const INPUT_FIELDS: readonly string[] = ['user_id', 'file_uid', 'use_cloud_storage', 'contract'];

/**
 * The function's door: what a signed-in user sent to `submitGeneration`. Unknown fields, fields of other tasks and bad
 * values are refused, all of them at once. `userId` is the caller's, for the check of `gs://` sources, which have to lie in
 * the deployment's bucket.
 */
export function parseSubmission(
  data: unknown,
  caller: { userId: string } & SourcePlaces,
): Checked<Submission> {
  const fields = fieldsOf(data);
  if (fields === null) return { ok: false, problems: [notAnObject(data)] };
  const problems: Problem[] = [];
  const requestId = fields.get('request_id') ?? null;
  fields.delete('request_id');
  if (requestId !== null && !isRequestId(requestId))
    problems.push(notAllowed('request_id', requestId, REQUEST_ID));

  for (const name of fields.keys()) if (!isRequestField(name)) problems.push(unknownField(name));
  const checked = checkRequest(fields, {
    ...caller,
    dataUrlMaxCharacters: DOCUMENT_DATA_URL_MAX_CHARACTERS,
  });
  if (!checked.ok) problems.push(...checked.problems);
  if (!checked.ok || problems.length > 0) return { ok: false, problems };
  return { ok: true, request: checked.request, task: checked.task, requestId: requestId as string | null };
}

/**
 * The worker's door: the `input` of a job. Unknown fields become warnings, so that an old worker serves a newer
 * function; bad values and fields of other tasks are refused, and so is a higher `contract`, before anything else.
 */
export function parseJobInput(input: unknown, places: SourcePlaces = {}): Checked<JobInput> {
  const fields = fieldsOf(input);
  if (fields === null) return { ok: false, problems: [notAnObject(input)] };
  const problems: Problem[] = [];
  const take = <Value>(name: string, accepts: (value: unknown) => value is Value, expected: string) => {
    const value = fields.get(name) ?? null;
    fields.delete(name);
    if (value === null || accepts(value)) return value;
    problems.push(notAllowed(name, value, expected));
    return null;
  };

  const contract = take('contract', isContract, 'a whole number from 1');
  if (contract !== null && contract > CONTRACT_VERSION) {
    const expected = `at most ${CONTRACT_VERSION}: update the worker, the function is newer`;
    return { ok: false, problems: [notAllowed('contract', contract, expected)] };
  }
  const useCloudStorage = take('use_cloud_storage', isBoolean, 'true or false') ?? false;
  const userIdWasSent = (fields.get('user_id') ?? null) !== null;
  const fileUidWasSent = (fields.get('file_uid') ?? null) !== null;
  const userId = take('user_id', isUserId, USER_ID);
  const fileUid = take('file_uid', isFileUid, FILE_UID);
  if (useCloudStorage && !userIdWasSent) problems.push(missing('user_id', USER_ID));
  if (useCloudStorage && !fileUidWasSent) problems.push(missing('file_uid', FILE_UID));

  const warnings: string[] = [];
  for (const name of fields.keys()) {
    if (!isRequestField(name))
      warnings.push(`${shortName(name)}: this worker does not know the field and ignored it.`);
  }
  const checked = checkRequest(fields, {
    ...places,
    userId,
    dataUrlMaxCharacters: useCloudStorage ? DOCUMENT_DATA_URL_MAX_CHARACTERS : DATA_URL_MAX_CHARACTERS,
  });
  if (!checked.ok) problems.push(...checked.problems);
  if (!checked.ok || problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    request: checked.request,
    task: checked.task,
    userId,
    fileUid,
    useCloudStorage,
    warnings,
  };
}

/** The `input` that a function posts to RunPod; `seed` is the one drawn for a request that leaves it open. */
export function createJobInput(
  request: GenerationRequest,
  job: { userId: string; fileUid: string; seed: number },
): Record<string, unknown> {
  return {
    ...request,
    seed: request.seed ?? job.seed,
    user_id: job.userId,
    file_uid: job.fileUid,
    use_cloud_storage: true,
    contract: CONTRACT_VERSION,
  };
}

/** The task that the fields mean; a `task_type` that says otherwise shows as fields of another task or missing ones. */
function inferTask(fields: ReadonlyMap<string, unknown>): TaskType {
  const named = TASK_TYPES.find((task) => task === fields.get('task_type'));
  if (named !== undefined) return named;
  if (fields.has('image_url')) return fields.has('mask_url') ? 'inpaint' : 'img2img';
  return fields.has('num_frames') ? 'text2video' : 'text2img';
}

/** Checks the known fields of one request against the schema of its task. */
function checkRequest(fields: ReadonlyMap<string, unknown>, sources: SourceRules): Checked<ValidRequest> {
  const task = inferTask(fields);
  const problems: Problem[] = [];
  const own: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    if (!isRequestField(name)) continue;
    const tasks = tasksOf(name);
    if (tasks.includes(task)) own[name] = value;
    else problems.push(fieldOfAnotherTask(name, value, task, tasks));
  }

  const parsed = REQUEST_SCHEMAS[task].safeParse(own);
  if (!parsed.success) problems.push(...describeIssues(parsed.error.issues, own));
  for (const field of ['image_url', 'mask_url'] as const) {
    const expected = sourceFault(field, own[field], sources);
    const isToldAlready = problems.some((problem) => problem.field === field);
    if (expected !== null && !isToldAlready) problems.push(notAllowed(field, own[field], expected));
  }
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, request: parsed.data, task };
}

/** One problem for each field that the schema refused. */
function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  own: Readonly<Record<string, unknown>>,
): Problem[] {
  const names = new Set(issues.map((issue) => String(issue.path[0])));
  return [...names].filter(isRequestField).map((name) => {
    const expected = expectationOf(name);
    return own[name] === undefined ? missing(name, expected) : notAllowed(name, own[name], expected);
  });
}

function fieldOfAnotherTask(
  name: string,
  value: unknown,
  task: TaskType,
  tasks: readonly TaskType[],
): Problem {
  const hint = name === 'mask_url' ? ', together with image_url' : '';
  return {
    field: name,
    message: `${name}: ${shorten(value)} is not allowed for ${task}; expected only for ${tasks.join(' and ')}${hint}.`,
  };
}

function unknownField(name: string): Problem {
  if (INPUT_FIELDS.includes(name)) {
    return { field: name, message: `${name}: is not allowed here; the function sets it itself.` };
  }
  const nearest = name.length > 64 ? null : nearestName(name, [...REQUEST_FIELDS, 'request_id']);
  const hint = nearest === null ? `expected one of ${REQUEST_FIELDS.join(', ')}` : `did you mean ${nearest}?`;
  const end = nearest === null ? '.' : '';
  return { field: name, message: `${shortName(name)}: is no field of a request; ${hint}${end}` };
}

function shortName(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name;
}

function notAnObject(data: unknown): Problem {
  return notAllowed('request', data, 'an object with a prompt');
}

/** The fields of a plain object without the undefined ones (Firestore refuses those), or null where it is none. */
function fieldsOf(data: unknown): Map<string, unknown> | null {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null;
  return new Map(Object.entries(data).filter(([, value]) => value !== undefined));
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isContract(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
