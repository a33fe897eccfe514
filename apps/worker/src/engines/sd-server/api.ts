/** sd-server's HTTP job API, as much of it as the engine uses: what the server can do, a job's start and its end. */
import { z } from 'zod';

/** Its mutex is never held while it generates, so an answer that takes longer than this does not come. */
const ANSWER_TIMEOUT_MS = 60_000;

/** The whole media comes as base64 in one JSON answer; more than this is no answer of ours. */
const LONGEST_ANSWER_BYTES = 512 * 1024 * 1024;

const capabilitiesSchema = z.object({
  model: z.object({ path: z.string() }),
  supported_modes: z.array(z.string()),
  samplers: z.array(z.string()),
  schedulers: z.array(z.string()),
});

const submittedSchema = z.object({ id: z.string().regex(/^[\w-]+$/) });

const jobSchema = z.object({
  status: z.enum(['queued', 'generating', 'completed', 'failed', 'cancelled']),
  result: z
    .object({
      images: z.array(z.object({ b64_json: z.string() })).optional(),
      b64_json: z.string().optional(),
      frame_count: z.int().optional(),
    })
    .nullish(),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});

/** What a server can do, as far as it matters here. */
export type Capabilities = z.output<typeof capabilitiesSchema>;

/** A job's state; `result` is there once it is completed. */
export type ServerJob = z.output<typeof jobSchema>;

/** The server answered with another status than a success, or with what is no answer. */
export class SdServerAnswerError extends Error {
  override readonly name = 'SdServerAnswerError';
  /** HTTP status; 0 when none came, or the answer could not be read. */
  readonly status: number;

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.status = status;
  }
}

/** One server's doors. Every method rejects with SdServerAnswerError, or with the signal's reason. */
export interface SdServerApi {
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  /** @returns the job's id */
  submit(mode: 'img_gen' | 'vid_gen', body: object, signal: AbortSignal): Promise<string>;
  job(id: string, signal: AbortSignal): Promise<ServerJob>;
}

/** @param baseUrl such as `http://127.0.0.1:34567` */
export function createSdServerApi(
  baseUrl: string,
  { answerTimeoutMs = ANSWER_TIMEOUT_MS, longestAnswerBytes = LONGEST_ANSWER_BYTES } = {},
): SdServerApi {
  async function call<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    signal: AbortSignal,
    body?: object,
  ): Promise<z.output<Schema>> {
    const timeout = AbortSignal.timeout(answerTimeoutMs);
    let status = 0;
    try {
      const response = await fetch(`${baseUrl}/sdcpp/v1/${path}`, {
        ...(body && {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
        redirect: 'error',
        signal: AbortSignal.any([signal, timeout]),
      });
      status = response.status;
      const text = await readText(response, longestAnswerBytes);
      if (!response.ok)
        throw new SdServerAnswerError(status, `${path} answered ${status}: ${text.slice(0, 300)}`);
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof SdServerAnswerError) throw cause;
      const problem = timeout.aborted
        ? `did not answer within ${answerTimeoutMs} ms`
        : cause instanceof z.ZodError || cause instanceof SyntaxError
          ? 'answered with something else than was expected'
          : 'could not be asked';
      throw new SdServerAnswerError(0, `${path} ${problem}.`, { cause });
    }
  }

  return {
    capabilities: (signal) => call('capabilities', capabilitiesSchema, signal),
    submit: async (mode, body, signal) => (await call(mode, submittedSchema, signal, body)).id,
    job: (id, signal) => call(`jobs/${id}`, jobSchema, signal),
  };
}

async function readText(response: Response, longestBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > longestBytes)
      throw new SdServerAnswerError(0, `The answer is longer than ${longestBytes} bytes.`);
    parts.push(decoder.decode(chunk, { stream: true }));
  }
  parts.push(decoder.decode());
  return parts.join('');
}
