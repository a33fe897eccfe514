/** Completes a valid request with the loaded model's card, or says why that model cannot do it. */
import {
  describeProblems,
  type JobInput,
  type ModelCard,
  type ResolvedRequest,
  resolveRequest,
} from '@firepod/contract';
import { WorkerError } from '../errors.ts';

/**
 * @throws WorkerError `model_not_available` when the model does not have the task, `invalid_argument` for values beyond
 * the card's limits
 */
export function resolveForCard(input: JobInput, card: ModelCard, seed: number): ResolvedRequest {
  if (!card.tasks.includes(input.task)) throw taskNotAvailable(input.task, card);
  const resolved = resolveRequest(input, card, { seed });
  if (!resolved.ok) throw new WorkerError('invalid_argument', describeProblems(resolved.problems));
  return resolved.request;
}

function taskNotAvailable(task: string, card: ModelCard): WorkerError {
  return new WorkerError(
    'model_not_available',
    `task_type: ${task} cannot be made by ${card.name}; expected ${card.tasks.join(' or ')}.`,
  );
}
