/** How much memory a program takes, its child processes counted, as the kernel keeps its books (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/** Of a program and all its child processes, in MiB. */
export interface TreeMemory {
  /** What the program has written to and the kernel cannot drop: heaps and stacks, pages shared by a fork in proportion. */
  anonymousMebibytes: number;
  /** All that is resident, programs and libraries included; what its processes share with anybody is counted once. */
  residentMebibytes: number;
}

/** @throws {Error} when the process is gone */
export function memoryOfTree(pid: number): TreeMemory {
  const rollups = [pid, ...descendantsOf(pid)].map(readRollup);
  const sum = (field: string) => rollups.reduce((total, rollup) => total + rollup(field), 0);
  const shared = Math.max(...rollups.map((rollup) => rollup('Shared_Clean') + rollup('Shared_Dirty')));
  return {
    anonymousMebibytes: sum('Pss_Anon') / 1024,
    residentMebibytes: (sum('Private_Clean') + sum('Private_Dirty') + shared) / 1024,
  };
}

/** The most that was ever resident in one process, programs and libraries included, in MiB. */
export function peakResidentMebibytes(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status holds no VmHWM.`);
  return Number(kilobytes) / 1024;
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

/** The fields of /proc/pid/smaps_rollup by name, in kB. */
function readRollup(pid: number): (field: string) => number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (field) => {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1];
    if (kilobytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup holds no ${field}.`);
    return Number(kilobytes);
  };
}
