/** What a worker says to RunPod over one scripted session, written so that two workers' words can be laid side by side. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRunpodClient, isTerminalStatus, type JobEnvelope } from '@firepod/runpod/client';
import { type ExchangeRecord, startLocalRunpod } from '@firepod/runpod/local';
import { startWorkerProgram, type WorkerProgram } from '../worker-program.ts';

/** What a client asks for, in this order, each when the one before has ended. */
const session = [
  { program: 'plain', title: 'an object', input: { does: 'answers', name: 'Ada' } },
  { program: 'plain', title: 'a text', input: { does: 'answers text' } },
  { program: 'plain', title: 'progress, then an object', input: { does: 'reports progress' } },
  { program: 'plain', title: 'an object with an error', input: { does: 'returns an error' } },
  { program: 'plain', title: 'an exception', input: { does: 'throws' } },
  { program: 'plain', title: 'cancelled while it runs', input: { does: 'waits' }, isCancelled: true },
  { program: 'plain', title: 'asks for a new worker', input: { does: 'asks for a new worker' } },
  { program: 'stream', title: 'a stream of two chunks, aggregated', input: { parts: 2 } },
] as const;

/** A step of the session and what its client saw last. */
interface EndedJob {
  title: string;
  envelope: JobEnvelope;
}

/**
 * Runs the session against a fresh local RunPod.
 *
 * @param program takes `plain` or `stream` as its last argument
 * @returns a section for each job and one for the calls that belong to none, repetitions left out
 */
export async function recordTranscript(program: WorkerProgram): Promise<string> {
  const records: ExchangeRecord[] = [];
  const jobs: EndedJob[] = [];
  const local = await startLocalRunpod({
    endpointId: 'transcript',
    apiKey: 'secret',
    // Python's SDK counts pings in whole seconds; polls end often enough that one begins within each job.
    timings: { pingIntervalMs: 1_000, pollHoldMs: 1_000 },
    onExchange: (record) => void (record.side === 'worker' && records.push(record)),
  });
  const client = createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'transcript', apiKey: 'secret' });
  try {
    for (const name of ['plain', 'stream']) {
      const worker = startWorkerProgram({ ...program, args: [...program.args, name] }, local);
      try {
        for (const step of session.filter((each) => each.program === name)) {
          const { id } = await client.run(step.input);
          if ('isCancelled' in step) {
            while ((await client.status(id)).status !== 'IN_PROGRESS') await sleep(20);
            await sleep(1_600); // a ping names the job, and the stop channel is held
            await client.cancel(id);
          }
          let envelope = await client.status(id);
          for (; !isTerminalStatus(envelope.status); envelope = await client.status(id)) await sleep(20);
          jobs.push({ ...step, envelope });
          await sleep(300); // what comes after the end, if anything
        }
      } finally {
        await worker.close();
      }
    }
  } finally {
    await local.close();
  }
  return transcriptOf(records, jobs);
}

function transcriptOf(records: readonly ExchangeRecord[], jobs: readonly EndedJob[]): string {
  const isAbout = (record: ExchangeRecord, { envelope }: EndedJob) =>
    record.operation !== 'ping' && `${record.path} ${record.reply}`.includes(envelope.id);
  const sections = jobs.map((job) => {
    const { status, output, error } = job.envelope;
    const lines = exchangesOf(
      records.filter((record) => isAbout(record, job)),
      job,
    );
    return section(`The job: ${job.title}`, [
      ...lines,
      `Its client sees\n    ${shownJson({ status, output, error })}`,
    ]);
  });
  const others = records.filter(
    (record) => record.status !== undefined && !jobs.some((job) => isAbout(record, job)),
  );
  return [
    ...sections,
    section('Calls about no single job, in the order of the alphabet', exchangesOf(others).sort()),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string {
  return `## ${title}\n\n${lines.join('\n')}\n`;
}

/** Headers that say something to RunPod; the others belong to the HTTP library. */
const shownHeaders = ['authorization', 'content-type', 'charset', 'x-request-id'];

/** Each different exchange once, in the order in which they ended. */
function exchangesOf(records: readonly ExchangeRecord[], job?: EndedJob): string[] {
  return [...new Set(records.map((record) => withoutChance(shownExchange(record), job)))];
}

function shownExchange({ method, path, query, headers, body, status, reply }: ExchangeRecord): string {
  return [
    `${method} ${path}?${query}`,
    ...shownHeaders.flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${headers[name]}`])),
    ...(body === '' ? [] : [shownJson(JSON.parse(body))]),
    `→ ${status} ${reply}`.trimEnd(),
  ].join('\n    ');
}

/** An error is JSON in a string: it is opened, because its keys are what differs. */
function shownJson({ error, ...rest }: Record<string, unknown>): string {
  if (typeof error !== 'string' || !error.startsWith('{')) return JSON.stringify({ ...rest, error });
  return JSON.stringify({ ...rest, error: JSON.parse(error) }, (key, value) =>
    ['error_traceback', 'hostname', 'worker_id', 'runpod_version'].includes(key) ? '…' : value,
  );
}

/** Ids that chance made, and versions, by what they are. */
function withoutChance(text: string, job: EndedJob | undefined): string {
  return (job === undefined ? text : text.replaceAll(job.envelope.id, '<job>'))
    .replaceAll(/(?<=(?:job-[a-z]+|ping)\/)[0-9a-f-]{36}(?=[/?])/g, '<worker>')
    .replaceAll(/[0-9a-f-]{36}-e1/g, '<another job>')
    .replaceAll(/(?<=runpod_version=)[^&\s]+/g, '<version>');
}
