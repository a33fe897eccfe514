/** What tests of cancel, webhook and sweep begin with: a submitted generation, and a worker's claim of it. */
import { jobRecordPath } from '@firepod/contract';
import { expect } from 'vitest';
import type { GenerationLocation } from '../src/generation-store.ts';
import type { LocalStack, TestUser } from './local-stack.ts';

export interface TestGeneration extends GenerationLocation {
  readonly fileUid: string;
  document(): Promise<FirebaseFirestore.DocumentData | undefined>;
  record(): Promise<FirebaseFirestore.DocumentData | undefined>;
  /** Takes the attempt as a worker does; `workerId` tells one run of a worker from another. */
  claim(runpodId: string, workerId?: string): Promise<void>;
}

/** Submits as the web SDK does. */
export async function submitTestGeneration(stack: LocalStack, user: TestUser): Promise<TestGeneration> {
  const reference = await user.call('submitGeneration', { prompt: 'a red apple' });
  return testGeneration(stack, { path: String(reference['path']), fileUid: String(reference['file_uid']) });
}

export function testGeneration(stack: LocalStack, location: GenerationLocation): TestGeneration {
  const { path, fileUid } = location;
  const read = async (target: string) => (await stack.firestore.doc(target).get()).data();
  return {
    path,
    fileUid,
    document: () => read(path),
    record: () => read(jobRecordPath(fileUid)),
    async claim(runpodId, workerId = 'worker-1') {
      const { decision } = await stack.context().store.transition(location, {
        type: 'claim',
        workerId,
        runpodId,
        generation: {
          path,
          userId: path.split('/')[1] ?? '',
          fileUid,
          task: 'text2img',
          requestData: { prompt: 'a red apple' },
          promptWords: ['a', 'red', 'apple'],
          parent: null,
          input: {},
        },
        progress: { phase: 'starting', step: 0, steps: 25, percent: 0, eta_seconds: null },
      });
      expect(decision.kind).toBe('write');
    },
  };
}
