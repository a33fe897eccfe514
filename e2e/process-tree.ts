/** The processes below a process, read from /proc, so that tests can kill the very one they mean. */
import { readdirSync, readFileSync } from 'node:fs';

interface RunningProcess {
  pid: number;
  parent: number;
  command: string;
}

/** Every process below `pid`, its children first. */
export function descendantsOf(pid: number): RunningProcess[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((found) => found !== undefined);
  const below = (parent: number): RunningProcess[] => {
    const children = all.filter((candidate) => candidate.parent === parent);
    return [...children, ...children.flatMap((child) => below(child.pid))];
  };
  return below(pid);
}

/** Whether the process is there and is no zombie. */
export function isRunning(pid: number): boolean {
  return readProcess(pid) !== undefined;
}

function readProcess(pid: number): RunningProcess | undefined {
  try {
    // The second field is the name in brackets and may hold spaces; the parent's id is the second after it (proc(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    if (fields[0] === 'Z') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parent: Number(fields[1]), command };
  } catch {
    return undefined; // it ended while we looked
  }
}
