/** Why a child process ended: told from its exit code, its signal, its last words and the kernel's own count. */
import { readFileSync } from 'node:fs';

/** How a child process went. */
export interface ProcessDeath {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  lastWords: string;
  /** Kills for lack of memory in this container since the child was started. */
  memoryKills: number;
}

/** Lines that V8, the C++ runtime and ONNX Runtime write when an allocation fails. */
const OUT_OF_MEMORY_WORDS =
  /heap out of memory|std::bad_alloc|Failed to allocate memory|Cannot allocate memory/i;

/** Whether the child died for lack of memory; false also when that cannot be known. */
export function diedOfMemory(death: ProcessDeath): boolean {
  return OUT_OF_MEMORY_WORDS.test(death.lastWords) || (death.signal === 'SIGKILL' && death.memoryKills > 0);
}

/** The death in words, for logs and error messages: "exit code 134", "signal SIGKILL". */
export function describeDeath(death: Pick<ProcessDeath, 'exitCode' | 'signal'>): string {
  return death.signal ? `signal ${death.signal}` : `exit code ${death.exitCode}`;
}

/** Where the kernel counts the kills of this container: control groups version 2, then 1. */
const MEMORY_KILL_FILES = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/** The kernel's count of processes killed for lack of memory in this container; 0 where it does not say. */
export function countMemoryKills(files: readonly string[] = MEMORY_KILL_FILES): number {
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec(readIfPresent(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
