import { type RunningServer } from '@firepod/local-firebase';
import { type StackAddresses } from './stack.ts';
export declare function startStudio(stack: StackAddresses): Promise<RunningServer>;
