/** The roster under every order of arrivals, ends, stops and resizes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createJobRoster } from './job-roster.ts';

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('end' as const), pick: fc.nat(5) }),
  fc.record({ kind: fc.constant('stop' as const), pick: fc.nat(8) }),
  fc.record({ kind: fc.constant('resize' as const), slots: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('expire' as const) }),
);

test('starts each job once and in order, never more than there are slots, and none that was stopped while it waited', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const running = new Map<string, () => void>();
      const started: string[] = [];
      const dropped: string[] = [];
      let named: string[] = [];
      let slots = 1;
      let isExpired = false;
      let added = 0;
      let ended = 0;
      const roster = createJobRoster<null>({
        start(job, startsExpired) {
          expect(startsExpired).toBe(isExpired);
          if (!isExpired) expect(running.size).toBeLessThan(slots);
          expect(named).toContain(job.id);
          started.push(job.id);
          const done = new Promise<{ refreshesWorker: boolean }>((resolve) => {
            running.set(job.id, () => {
              running.delete(job.id);
              ended += 1;
              resolve({ refreshesWorker: false });
            });
          });
          return { jobId: job.id, done, stop: () => {}, expire: () => {} };
        },
        onChange: (jobIds) => {
          named = jobIds;
        },
        onRefresh: () => {},
        onDropped: (jobId) => dropped.push(jobId),
      });
      for (const each of steps) {
        if (each.kind === 'add') {
          const jobs = Array.from({ length: each.count }, () => ({ id: `job-${added++}`, input: null }));
          roster.add(jobs);
        } else if (each.kind === 'end') [...running.values()][each.pick]?.();
        else if (each.kind === 'stop') roster.stop(`job-${each.pick}`);
        else if (each.kind === 'resize') {
          slots = each.slots;
          roster.resize(slots);
        } else {
          isExpired = true;
          roster.expire();
        }
        // What ended is noticed in a later turn.
        await new Promise((resolve) => setImmediate(resolve));
        const waiting = added - started.length - dropped.length;
        expect(roster.size).toBe(running.size + waiting);
        expect(named).toHaveLength(roster.size);
        expect(roster.freeSlots()).toBe(Math.max(0, slots - roster.size));
        if (waiting > 0) expect(running.size).toBeGreaterThanOrEqual(isExpired ? 0 : slots);
        if (isExpired) expect(waiting).toBe(0);
      }
      expect(started).toEqual([...new Set(started)].sort((a, b) => Number(a.slice(4)) - Number(b.slice(4))));
      expect(started.filter((id) => dropped.includes(id))).toEqual([]);
      for (const end of running.values()) end();
      await new Promise((resolve) => setImmediate(resolve));
      while (running.size > 0) {
        for (const end of running.values()) end();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await roster.whenEmpty();
      expect(started.length + dropped.length).toBe(added);
      expect(ended).toBe(started.length);
    }),
    { numRuns: 100 },
  );
});
