/** An engine program with a tiny palette for tests of stopping and dying: the prompt says how it misbehaves. */
import { setTimeout as pause } from 'node:timers/promises';
import { modelCardSchema, seedOfImage } from '@firepod/contract';
import type { Engine, Frame } from '../src/engines/engine.ts';
import { serveEngine } from '../src/engines/server.ts';
import { WorkerError } from '../src/errors.ts';

const STEP_MS = 20;

const card = modelCardSchema.parse({
  id: 'fixture',
  name: 'Fixture',
  version: '1.0.0',
  tasks: ['text2img', 'img2img', 'text2video'],
  native_size: { width: 64, height: 64 },
  size_multiple: 32,
  defaults: { num_inference_steps: 5 },
  limits: { max_size: 512 },
  licence: 'MIT',
});

function createFixtureEngine(): Engine {
  return {
    describe: async () => ({
      card,
      modelSha256: 'f'.repeat(64),
      engine: { name: 'fixture', version: '1.0.0' },
    }),
    async generate(request, { signal, onProgress, sources }) {
      const { prompt, num_inference_steps: steps, seed } = request;
      if (prompt === 'breaks') throw new Error('/models/secret-path is broken');
      if (prompt === 'refuses')
        throw new WorkerError('content_rejected', 'The fixture does not like this prompt.');
      if (prompt === 'exits') process.exit(7);
      if (prompt === 'fills memory') {
        process.stderr.write(
          'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n',
        );
        process.kill(process.pid, 'SIGABRT');
      }
      for (let step = 1; step <= steps; step += 1) {
        if (prompt === 'hangs') while (true); // the thread never sees a message again, as inside a graph that hangs
        await pause(STEP_MS);
        signal.throwIfAborted();
        onProgress({ phase: 'denoising', step, steps, preview: frameOf(step, 16, 16) });
      }
      const timings = { total: 0.5 };
      const warnings = prompt === 'is too long' ? ['prompt: its end was left out.'] : [];
      if (request.task_type === 'text2video') {
        const { num_frames, video_width, video_height } = request;
        const frames = Array.from({ length: num_frames }, (_, index) =>
          frameOf(index * 8, video_width, video_height),
        );
        return { frames, seeds: [seed], timings, warnings };
      }
      const { width, height, num_images } = request;
      // Its own source again, so that a test sees what came through.
      if (sources)
        return {
          frames: [{ rgb: sources.image.data, widthPx: width, heightPx: height }],
          seeds: [seed],
          timings,
        };
      const seeds = Array.from({ length: num_images }, (_, index) => seedOfImage(seed, index));
      return { frames: seeds.map((each) => frameOf(each, width, height)), seeds, timings, warnings };
    },
    close: async () => {},
  };
}

/** One flat colour that depends on `value`. */
function frameOf(value: number, widthPx: number, heightPx: number): Frame {
  const rgb = new Uint8Array(widthPx * heightPx * 3).fill(value % 256);
  return { rgb, widthPx, heightPx };
}

serveEngine(async (settings) => {
  if (settings.model === 'missing') throw new WorkerError('model_not_available', 'There is no such model.');
  return createFixtureEngine();
});
