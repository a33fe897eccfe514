import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { golden, goldenTensor, largestDifference } from '../../fixtures/golden.ts';
import { DiffusionError } from '../errors.ts';
import { createNoiseGenerator } from '../random.ts';
import { createScheduler, SCHEDULER_NAMES, schedulerNameOf } from './registry.ts';
import type { Scheduler } from './scheduler.ts';
import { parseSchedulerConfig } from './scheduler-config.ts';

const SIZE = 16;
/** Runs of more steps than this have only their last sample recorded. */
const FEW_STEPS = 8;
const outputs = goldenTensor('scheduler.model_outputs').data as Float32Array;
const start = goldenTensor('scheduler.start').data as Float32Array;
const { step_counts, starts } = golden.schedulers;

const described = golden.schedulers.cases.map((entry, index) => {
  const options = Object.entries(entry.config).map(([key, value]) => `${key} ${value}`);
  return { ...entry, index, title: `${entry.scheduler}, ${options.join(', ')}` };
});

/** The sample that img2img starts from, then the sample after each call, recorded outputs standing in for a model. */
function takeSteps(scheduler: Scheduler, first: number): Float32Array[] {
  const generator = createNoiseGenerator(7);
  const samples = [scheduler.addNoise(start, outputs.slice(150 * SIZE), first)];
  for (let call = first; call < scheduler.timesteps.length; call++) {
    const output = outputs.slice((call - first) * SIZE, (call - first + 1) * SIZE);
    const sample = samples[samples.length - 1]!;
    samples.push(scheduler.step(output, call, sample, generator).previousSample);
  }
  return samples;
}

describe.each(described)('$title, against diffusers', ({ scheduler: name, config, calls, index }) => {
  const parsed = parseSchedulerConfig({ ...golden.schedulers.config, ...config });

  it('has the same timesteps and starting sigma at every number of steps', () => {
    const expected = goldenTensor(`scheduler.${index}.timesteps`).data;
    const sigmas = goldenTensor(`scheduler.${index}.init_noise_sigmas`).data;
    let offset = 0;
    for (const [position, steps] of step_counts.entries()) {
      const scheduler = createScheduler(name, parsed, steps);
      const recorded = expected.slice(offset, offset + calls[position]!);
      offset += recorded.length;
      // Whole numbers are equal; those that come from sigmas by logarithm and power agree to float32's digits.
      const tolerance = scheduler.timesteps.every(Number.isInteger) ? 0 : 1e-3;
      expect(largestDifference(scheduler.timesteps, recorded), `${steps} steps`).toBeLessThanOrEqual(
        tolerance,
      );
      expect(scheduler.initNoiseSigma / sigmas[position]!).toBeCloseTo(1, 6);
    }
  });

  it('takes the same steps, from the start and from later on', () => {
    const expected = goldenTensor(`scheduler.${index}.states`).data as Float32Array;
    let offset = 0;
    let worst = 0;
    for (const [steps, firsts] of Object.entries(starts)) {
      for (const first of firsts) {
        const samples = takeSteps(createScheduler(name, parsed, Number(steps)), first);
        // Relative to the largest sample on the way: its float32 digits bound what diffusers itself resolves (sigmas reach 4096).
        const scale = samples.reduce((largest, sample) => Math.max(largest, ...sample.map(Math.abs)), 1);
        for (const sample of Number(steps) > FEW_STEPS ? samples.slice(-1) : samples) {
          worst = Math.max(worst, largestDifference(sample, expected.slice(offset, offset + SIZE)) / scale);
          offset += SIZE;
        }
      }
    }
    expect(offset).toBe(expected.length);
    if (process.env['PRINT_PARITY'])
      process.stdout.write(`${name} case ${index}: ${worst.toExponential(1)}\n`);
    expect(worst).toBeLessThan(1e-5);
  });
});

describe('createScheduler', () => {
  const config = parseSchedulerConfig({
    beta_schedule: 'scaled_linear',
    beta_start: 0.00085,
    beta_end: 0.012,
  });

  it('names the available schedulers when it does not know one', () => {
    expect(() => createScheduler('HEUN', config, 10)).toThrow(
      /"HEUN" is not available; choose one of DDIM, PNDM, KLMS, K_EULER, .*, DPMSolverSinglestep/,
    );
  });

  it.each([0, -1, 2.5, 1000, Number.NaN])('refuses %s steps', (steps) => {
    expect(() => createScheduler('DDIM', config, steps)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('1 to 999') }),
    );
  });

  it('finds a scheduler by the class that a model folder names', () => {
    expect(schedulerNameOf('EulerDiscreteScheduler')).toBe('K_EULER');
    expect(schedulerNameOf('PNDMScheduler')).toBe('PNDM');
    expect(schedulerNameOf('UniPCMultistepScheduler')).toBeNull();
  });

  it('descends through valid timesteps for every scheduler, spacing and number of steps', () => {
    const spacings = fc.constantFrom('leading', 'trailing', 'linspace');
    fc.assert(
      fc.property(
        fc.constantFrom(...SCHEDULER_NAMES),
        spacings,
        fc.integer({ min: 1, max: 999 }),
        (name, spacing, steps) => {
          const spaced = parseSchedulerConfig({ timestep_spacing: spacing });
          const { timesteps } = createScheduler(name, spaced, steps);
          // PNDM takes its first step twice, so that its second timestep comes twice.
          const distinct = timesteps.filter((timestep, index) => timestep !== timesteps[index - 1]);
          expect(timesteps).toHaveLength(name === 'PNDM' && steps > 1 ? steps + 1 : steps);
          expect(distinct).toHaveLength(steps);
          expect(distinct.every((timestep, index) => index === 0 || timestep < distinct[index - 1]!)).toBe(
            true,
          );
          expect(timesteps[0]!).toBeLessThan(1000);
          expect(timesteps[timesteps.length - 1]!).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it.each(SCHEDULER_NAMES)('recovers the clean sample with %s when the model is right about it', (name) => {
    // Velocity, which a model can tell everywhere: the two samplers' spaces differ only by the signal's scale.
    const velocity = parseSchedulerConfig({ timestep_spacing: 'trailing', prediction_type: 'v_prediction' });
    const scheduler = createScheduler(name, velocity, 12);
    const generator = createNoiseGenerator(3);
    const clean = Float32Array.of(0.5, -1, 2);
    let sample = scheduler.addNoise(clean, Float32Array.of(1, -0.25, 0.75), 0);
    for (const [index, timestep] of scheduler.timesteps.entries()) {
      const output = trueVelocity(timestep, scheduler.scaleModelInput(sample, index), clean);
      sample = scheduler.step(output, index, sample, generator).previousSample;
    }
    expect(largestDifference(sample, clean)).toBeLessThan(0.05);
  });

  it.each([
    ['PNDM', { skip_prk_steps: false }, /skip_prk_steps/],
    ['PNDM', { prediction_type: 'sample' }, /PNDM does not support prediction_type "sample"/],
    ['K_EULER', { prediction_type: 'sample' }, /K_EULER does not support/],
    ['DPMSolverMultistep', { algorithm_type: 'dpmsolver' }, /algorithm_type "dpmsolver"; DPMSolverMultistep/],
    ['DPMSolverSinglestep', { algorithm_type: 'sde-dpmsolver++', solver_order: 3 }, /solver_order 3/],
  ] as const)('refuses for %s the config %o, which another scheduler may have', (name, config, message) => {
    const parsed = parseSchedulerConfig(config);
    expect(() => createScheduler(name, parsed, 10)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(message) }),
    );
    expect(createScheduler('DDIM', parsed, 10).timesteps).toHaveLength(10);
  });
});

/** v = signal * noise - deviation * x0 for a sample in VP space, at a (fractional) timestep of the linear schedule. */
function trueVelocity(timestep: number, sample: Float32Array, clean: Float32Array): Float32Array {
  let alpha = 1;
  for (let index = 0; index <= Math.round(timestep); index++) alpha *= 1 - (0.0001 + (0.0199 * index) / 999);
  const [signal, deviation] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];
  return sample.map((value, element) => {
    const noise = (value - signal * clean[element]!) / deviation;
    return signal * noise - deviation * clean[element]!;
  });
}

describe('parseSchedulerConfig', () => {
  it.each([
    [
      { timestep_spacing: 'quadratic' },
      /timestep_spacing is "quadratic"; expected one of linspace, leading, trailing/,
    ],
    [{ beta_start: 'small' }, /beta_start is "small"; expected a number/],
    [{ trained_betas: [0.1, 'x'] }, /trained_betas/],
    [{ solver_order: 4 }, /solver_order is 4; expected 1, 2 or 3/],
    [{ algorithm_type: 'ddpm' }, /algorithm_type is "ddpm"; expected one of dpmsolver, dpmsolver\+\+/],
    [{ use_karras_sigmas: 'yes' }, /use_karras_sigmas is "yes"; expected true or false/],
    [{ use_karras_sigmas: true, use_exponential_sigmas: true }, /use_exponential_sigmas is true/],
  ])('names the bad value in %o', (json, message) => {
    expect(() => parseSchedulerConfig(json)).toThrow(message);
  });

  it('refuses options that it would have to ignore', () => {
    expect(() => parseSchedulerConfig({ thresholding: true })).toThrow(DiffusionError);
    expect(() => parseSchedulerConfig({ interpolation_type: 'log_linear' })).toThrow(/interpolation_type/);
    expect(() => parseSchedulerConfig({ lambda_min_clipped: -5.1 })).toThrow(/lambda_min_clipped/);
    expect(() => parseSchedulerConfig({ variance_type: 'learned_range' })).toThrow(/variance_type/);
  });
});
