/** Turns what a server prints during a job into the engine's progress and timings. */
import type { EngineProgress } from '../engine.ts';
import type { SdServerOutput } from './output.ts';

type Phase = EngineProgress['phase'];

/** Follows the pictures of one generation. */
export interface ProgressMeter {
  /** A picture's job begins; `index` from 0. */
  begin(index: number): void;
  read(output: SdServerOutput): void;
  /** Everything is done: seconds by phase, and in `total`. */
  timings(): { total: number } & Record<Phase, number>;
}

/** @param stepsExpected of one picture, until its bars say how many they are */
export function createProgressMeter({
  pictures,
  stepsExpected,
  onProgress,
  now = () => performance.now(),
}: {
  pictures: number;
  stepsExpected: number;
  onProgress: (progress: EngineProgress) => void;
  now?: () => number;
}): ProgressMeter {
  const seconds: Record<Phase, number> = { encoding: 0, denoising: 0, decoding: 0 };
  const startedAtMs = now();
  let phase: Phase = 'encoding';
  let phaseAtMs = startedAtMs;
  let index = 0;
  let steps = stepsExpected;
  let step = 0;

  function enter(next: Phase): void {
    seconds[phase] += (now() - phaseAtMs) / 1000;
    phaseAtMs = now();
    phase = next;
  }

  const tell = () => onProgress({ phase, step: index * steps + step, steps: pictures * steps });

  return {
    begin(next) {
      index = next;
      step = 0;
      enter('encoding');
      tell();
    },
    read(output) {
      if (output.type === 'phase' && output.phase !== phase) {
        enter(output.phase);
        if (output.phase === 'decoding') step = steps;
        tell();
      } else if (output.type === 'bar' && phase === 'denoising') {
        steps = output.steps;
        // A method that runs the model twice draws a step twice.
        if (output.step <= step) return;
        step = output.step;
        tell();
      }
    },
    timings() {
      enter(phase);
      return { ...seconds, total: (now() - startedAtMs) / 1000 };
    },
  };
}
