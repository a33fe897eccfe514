/** Turns an engine's steps into the progress that a user sees: one percentage that never falls, and the time left. */
import type { Progress, ProgressPhase } from '@firepod/contract';
import type { EngineProgress } from '../engines/engine.ts';

/** Where each phase begins on the way from 0 to 100: denoising is nearly all of the work. */
const PHASE_STARTS_PERCENT: Record<ProgressPhase, number> = {
  starting: 0,
  loading: 0,
  encoding: 1,
  denoising: 4,
  decoding: 90,
  uploading: 95,
};
const PHASE_ENDS_PERCENT: Record<ProgressPhase, number> = {
  starting: 0,
  loading: 1,
  encoding: 4,
  denoising: 90,
  decoding: 95,
  uploading: 100,
};

/** One generation's progress. */
export interface ProgressMeter {
  /** The progress after an engine's step. */
  step(progress: EngineProgress): Progress;
  /** The progress when a phase without steps begins. */
  begin(phase: 'loading' | 'uploading'): Progress;
}

/** @param nowMs a clock that does not go backwards */
export function createProgressMeter(nowMs: () => number = () => performance.now()): ProgressMeter {
  let percent = 0;
  let denoised = { step: 0, steps: 0 };
  let firstStep: { step: number; atMs: number } | undefined;

  function progressAt(phase: ProgressPhase, share: number, etaSeconds: number | null): Progress {
    const start = PHASE_STARTS_PERCENT[phase];
    percent = Math.max(percent, Math.floor(start + (PHASE_ENDS_PERCENT[phase] - start) * share));
    return { phase, ...denoised, percent, eta_seconds: etaSeconds };
  }

  return {
    step({ phase, step, steps }) {
      const share = steps > 0 ? step / steps : 0;
      if (phase !== 'denoising') return progressAt(phase, share, null);
      denoised = { step, steps };
      firstStep ??= { step, atMs: nowMs() };
      // The first step also pays for warming up, so the pace is measured from its end.
      const stepsSince = step - firstStep.step;
      const msPerStep = stepsSince > 0 ? (nowMs() - firstStep.atMs) / stepsSince : null;
      return progressAt(
        phase,
        share,
        msPerStep === null ? null : Math.ceil(((steps - step) * msPerStep) / 1000),
      );
    },
    begin: (phase) => progressAt(phase, 0, null),
  };
}
