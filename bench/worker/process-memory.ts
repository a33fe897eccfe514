/** How much memory a program takes, its child processes counted, as the kernel keeps its books (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * The proportional set size of a process and all its descendants in bytes: pages that several share are counted once.
 *
 * @throws {Error} when the process is gone
 */
export function memoryOfTree(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, each) => sum + proportionalBytes(each), 0);
}

/** The processes below one, in no particular order. */
function descendantsOf(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(Number(name)) }));
  const found: number[] = [];
  for (let generation = [pid]; generation.length > 0; ) {
    generation = parents.filter(({ parent }) => generation.includes(parent)).map((each) => each.pid);
    found.push(...generation);
  }
  return found;
}

/** The fourth field of /proc/pid/stat, counted behind the program's name, which may hold anything. 0 when it is gone. */
function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0; // it ended between the listing and the reading
  }
}

function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup holds no Pss.`);
  return Number(kilobytes) * 1024;
}
