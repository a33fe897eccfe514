/** A pipeline's program as a child process: started on a model, told to paint, measured, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { peakResidentMebibytes } from '../process-memory.ts';
import { quietOffline } from './diffusers-python.ts';

/** What both sides paint, and how. */
export interface PaintCase {
  readonly task: 'text2img' | 'text2video';
  /** ONNX graphs for ours, and the same weights as diffusers reads them. */
  readonly folder: string;
  readonly torchFolder: string;
  readonly prompt: string;
  readonly negativePrompt: string | null;
  readonly width: number;
  readonly height: number;
  /** Of a video. */
  readonly frames: number | null;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly seed: number;
  readonly threads: number;
}

/** What one painting took. */
export interface Painting {
  /** From the pipeline's call to its pixels. */
  readonly totalMs: number;
  /** Of that, within the networks: runs of sessions, calls of modules. */
  readonly networksMs: number;
  /** From the end of one step to the end of the next. */
  readonly stepsMs: readonly number[];
}

/** A pipeline that has loaded its model. */
export interface RunningPipeline {
  /** The libraries that compute. */
  readonly versions: string;
  paint(): Promise<Painting>;
  /** Paints, and gives the pixels too: rows of RGB bytes, frame after frame. */
  paintAndShow(): Promise<Uint8Array>;
  /** The most memory that was ever resident in it, in MiB. */
  peakMebibytes(): number;
  close(): Promise<void>;
}

/** Ours, run by this Node from what is built. */
export function startFirepod(paintCase: PaintCase): Promise<RunningPipeline> {
  return start('firepod', process.execPath, [join(import.meta.dirname, 'firepod-pipeline.mjs')], paintCase);
}

/** @param python an interpreter that has diffusers */
export function startDiffusers(python: string, paintCase: PaintCase): Promise<RunningPipeline> {
  return start('diffusers', python, ['-m', 'bench.diffusion.diffusers_pipeline'], paintCase);
}

async function start(
  name: string,
  program: string,
  args: readonly string[],
  paintCase: PaintCase,
): Promise<RunningPipeline> {
  const child = spawn(program, [...args, JSON.stringify(paintCase)], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, ...quietOffline },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name} ended before it answered.`);
    return JSON.parse(value);
  };
  const ask = (what: string) => {
    child.stdin.write(`${what}\n`);
    return answer();
  };
  const { versions }: { versions: string } = await answer();
  return {
    versions,
    paint: () => ask('paint'),
    async paintAndShow() {
      const { pixels }: { pixels: string } = await ask('paint-and-show');
      return Buffer.from(pixels, 'base64');
    },
    peakMebibytes: () => peakResidentMebibytes(child.pid!),
    close: () => end(child),
  };
}

/** Both programs end where their input does. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(timer);
}
