import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { countMemoryKills, describeDeath, diedOfMemory, type ProcessDeath } from './death.ts';

describe("a process's death", () => {
  const folder = mkdtempSync(join(tmpdir(), 'firepod-death-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const death: ProcessDeath = { exitCode: null, signal: 'SIGKILL', lastWords: '', memoryKills: 0 };

  it.each([
    ['V8 said so', { exitCode: 134, signal: null, lastWords: 'FATAL ERROR: JavaScript heap out of memory' }],
    [
      'the C++ runtime said so',
      { exitCode: null, signal: 'SIGABRT', lastWords: 'what():  std::bad_alloc\n' },
    ],
    ['the kernel counted it', { memoryKills: 1 }],
  ] satisfies [string, Partial<ProcessDeath>][])('was for lack of memory when %s', (_, parts) => {
    expect(diedOfMemory({ ...death, ...parts })).toBe(true);
  });

  it('was not for lack of memory when somebody killed it', () => {
    expect(diedOfMemory(death)).toBe(false);
    expect(describeDeath(death)).toBe('signal SIGKILL');
    expect(describeDeath({ exitCode: 7, signal: null })).toBe('exit code 7');
  });

  it('is counted by the kernel in the first of its files that is there', () => {
    const version2 = join(folder, 'memory.events');
    writeFileSync(version2, 'low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n');
    const version1 = join(folder, 'memory.oom_control');
    writeFileSync(version1, 'oom_kill_disable 0\nunder_oom 0\noom_kill 5\n');
    expect(countMemoryKills([version2, version1])).toBe(2);
    expect(countMemoryKills([join(folder, 'absent'), version1])).toBe(5);
    expect(countMemoryKills([join(folder, 'absent')])).toBe(0);
  });
});
