/** The scripted session's worker on ours: each job's input says what its handler does. */
import { settingsFrom, startWorker } from '@firepod/runpod/worker';

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function plain(job, { signal, progress }) {
  switch (job.input.does) {
    case 'answers':
      return { greeting: `hello ${job.input.name}` };
    case 'answers text':
      return 'only text';
    case 'reports progress':
      progress({ percent: 50 });
      await sleep(1_000);
      return { percent: 100 };
    case 'returns an error':
      return { error: 'nothing to paint' };
    case 'throws':
      throw new TypeError('paint ran out');
    case 'asks for a new worker':
      return { refresh_worker: true, last: true };
    default:
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return {};
  }
}

async function* stream(job) {
  for (let part = 1; part <= job.input.parts; part += 1) {
    yield { part };
    await sleep(100);
  }
}

const isStream = process.argv[2] === 'stream';
const worker = startWorker({
  settings: settingsFrom(process.env),
  handler: isStream ? stream : plain,
  aggregate: isStream,
});
process.once('SIGTERM', () => worker.shutdown());
await worker.stopped;
