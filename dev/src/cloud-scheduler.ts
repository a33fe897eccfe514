/** Cloud Scheduler on this machine: calls scheduled functions at their interval. */

/** A function as the functions host lists it. */
interface ScheduledFunction {
  name: string;
  url: string;
  schedule: string | null;
}

interface SchedulerLogger {
  warn(fields: object, message: string): void;
}

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000 };

/**
 * Calls each function that has a schedule by POST, as Cloud Scheduler does, first after one interval. A call that is
 * still running when the next one is due is not doubled.
 */
export function startCloudScheduler(
  functions: readonly ScheduledFunction[],
  logger: SchedulerLogger,
): { close(): void } {
  const timers: NodeJS.Timeout[] = [];
  for (const { name, url, schedule } of functions) {
    if (schedule === null) continue;
    const intervalMs = parseInterval(schedule);
    if (intervalMs === null) {
      logger.warn(
        { name, schedule },
        'Only schedules like "every 5 minutes" run on this machine; call it by POST.',
      );
      continue;
    }
    let running = false;
    const call = async () => {
      if (running) return;
      running = true;
      try {
        const response = await fetch(url, { method: 'POST' });
        if (!response.ok) logger.warn({ name, status: response.status }, 'A scheduled function failed.');
      } catch (error) {
        logger.warn({ name, error: String(error) }, 'A scheduled function could not be called.');
      } finally {
        running = false;
      }
    };
    timers.push(setInterval(() => void call(), intervalMs));
  }
  return { close: () => timers.forEach(clearInterval) };
}

/** Milliseconds of an App Engine interval (`every 5 minutes`, `every 1 hours`), or null for anything else, cron lines too. */
export function parseInterval(schedule: string): number | null {
  const [, count, unit = ''] = schedule.trim().match(/^every (\d+) (minute|hour)s?$/) ?? [];
  const intervalMs = Number(count) * (unitMs[unit] ?? Number.NaN);
  return intervalMs > 0 ? intervalMs : null;
}
