/** A whole Firepod for one test file: built programs, real processes, free ports, a data folder that goes away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  portPlan,
  type Stack,
  type StackOptions,
  shippedModelFolders,
  startStack,
  startStudio,
} from '@firepod/dev';

export interface TestStack extends Stack {
  readonly dataFolder: string;
  readonly studioUrl: string;
}

export async function startTestStack(options: Partial<StackOptions> = {}): Promise<TestStack> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'firepod-e2e-'));
  const stack = await startStack({
    dataFolder,
    ports: portPlan('any'),
    models: shippedModelFolders,
    ...options,
  });
  const studio = await startStudio(stack);
  return {
    ...stack,
    dataFolder,
    studioUrl: `http://${stack.host}:${studio.port}`,
    async close() {
      await studio.close();
      await stack.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
