/** Under what conditions a bench ran: without them its figures say little. */
import { cpus, loadavg, totalmem } from 'node:os';

/** One line for the head of a table. */
export function describeMachine(): string {
  const gibibytes = Math.round(totalmem() / 1024 ** 3);
  return (
    `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${gibibytes} GiB, Node ${process.versions.node}, ` +
    `load ${loadavg()[0]?.toFixed(1)} before, ${new Date().toISOString()}`
  );
}
