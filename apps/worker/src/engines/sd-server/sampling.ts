/** Our schedulers in sd-server's words: a method and a table of noise levels. */
import type { Scheduler } from '@firepod/contract';

/** The fields of `sample_params` that choose a sampler. */
export interface SdServerSampler {
  sample_method: string;
  scheduler: string;
  /** Share of fresh noise; 0 makes a method deterministic. Sent always, because the server's default differs by method. */
  eta: number;
  extra_sample_args?: string;
}

/**
 * Those that the server has by the same formulas. DPM-Solver++ of order 2 is the only one of its kind there, so
 * DPMSolverSinglestep (`dpm++2s_a` runs the model twice a step) and PNDM (`ipndm` starts with other steps) are not offered
 * under names that they would not deserve. `lms_shift=0` asks for k-diffusion's own coefficients.
 */
export const SAMPLERS: Partial<Record<Scheduler, SdServerSampler>> = {
  DDIM: { sample_method: 'ddim_trailing', scheduler: 'simple', eta: 0 },
  KLMS: { sample_method: 'lms', scheduler: 'discrete', eta: 0, extra_sample_args: 'lms_shift=0' },
  K_EULER: { sample_method: 'euler', scheduler: 'discrete', eta: 0 },
  K_EULER_ANCESTRAL: { sample_method: 'euler_a', scheduler: 'discrete', eta: 1 },
  DPMSolverMultistep: { sample_method: 'dpm++2m', scheduler: 'discrete', eta: 0 },
};

/** Which of `wanted` a server can do that has these methods and tables; it replaces unknown names silently. */
export function supportedSchedulers(
  wanted: readonly Scheduler[],
  { samplers, schedulers }: { samplers: readonly string[]; schedulers: readonly string[] },
): Scheduler[] {
  return wanted.filter((name) => {
    const sampler = SAMPLERS[name];
    return sampler && samplers.includes(sampler.sample_method) && schedulers.includes(sampler.scheduler);
  });
}
