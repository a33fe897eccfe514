/** The measured worker of ours: answers at once, or waits until it is stopped and says when it noticed. */
import { settingsFrom, startWorker } from '@firepod/runpod/worker';

const worker = startWorker({
  settings: settingsFrom(process.env),
  concurrencyModifier: () => Number(process.env.BENCH_CONCURRENCY ?? 1),
  async handler(job, { signal }) {
    if (!job.input.waits) return { done: true };
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    process.stdout.write(`stopped ${Date.now()}\n`);
    return {};
  },
});
process.once('SIGTERM', () => worker.shutdown());
await worker.stopped;
