import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { golden, goldenTensor, hasGoldenTensor, largestDifference } from '../../fixtures/golden.ts';
import { DiffusionError } from '../errors.ts';
import { createScheduler, SCHEDULER_NAMES, schedulerNameOf } from './registry.ts';
import { parseSchedulerConfig } from './scheduler-config.ts';

const described = golden.schedulers.map((entry, index) => {
  const { scheduler, config } = entry;
  const unusual = Object.entries(config)
    .filter(([key]) =>
      ['timestep_spacing', 'prediction_type', 'use_karras_sigmas', 'rescale_betas_zero_snr'].includes(key),
    )
    .map(([, value]) => value)
    .join(' ');
  return { ...entry, index, title: `${scheduler} ${unusual} (case ${index})` };
});

describe.each(described)('$title, against diffusers', ({ scheduler: name, config, runs, index }) => {
  it.each(runs)(
    'has the same timesteps and starting sigma with $steps steps',
    ({ steps, init_noise_sigma }) => {
      const scheduler = createScheduler(name, parseSchedulerConfig(config), steps);
      const expected = goldenTensor(`scheduler.${index}.${steps}.timesteps`).data;
      // Exact but for Karras, whose timesteps go through log and power.
      expect(largestDifference(scheduler.timesteps, expected)).toBeLessThanOrEqual(
        config['use_karras_sigmas'] ? 1e-3 : 0,
      );
      expect(scheduler.initNoiseSigma / init_noise_sigma).toBeCloseTo(1, 6);
    },
  );

  const stepped = runs.filter(({ steps }) => hasGoldenTensor(`scheduler.${index}.${steps}.states`));
  it.each(stepped)('takes the same $steps steps', ({ steps }) => {
    const scheduler = createScheduler(name, parseSchedulerConfig(config), steps);
    const outputs = goldenTensor('scheduler.model_outputs').data as Float32Array;
    const start = goldenTensor('scheduler.start').data as Float32Array;
    const expected = goldenTensor(`scheduler.${index}.${steps}.states`).data;
    let sample: Float32Array = start.map((value) => value * scheduler.initNoiseSigma);
    // Relative to the largest sample on the way: its float32 digits bound what diffusers itself resolves (sigmas reach 4096).
    let scale = 1;
    for (let call = 0; call < scheduler.timesteps.length; call++) {
      const scaled = scheduler.scaleModelInput(sample, call);
      const output = outputs.slice(call * 8, (call + 1) * 8);
      const { previousSample, predictedOriginal } = scheduler.step(output, call, sample);
      const actual = [...scaled, ...previousSample, ...predictedOriginal];
      const recorded = expected.slice(call * 24, (call + 1) * 24);
      scale = Math.max(scale, ...sample.map(Math.abs), ...recorded.map(Math.abs));
      expect(largestDifference(actual, recorded) / scale).toBeLessThan(2e-6);
      sample = previousSample;
    }
  });
});

describe('createScheduler', () => {
  const config = parseSchedulerConfig({
    beta_schedule: 'scaled_linear',
    beta_start: 0.00085,
    beta_end: 0.012,
  });

  it('names the available schedulers when it does not know one', () => {
    expect(() => createScheduler('KLMS', config, 10)).toThrow(
      /"KLMS" is not available; choose one of DDIM, K_EULER/,
    );
  });

  it.each([0, -1, 2.5, 1001, Number.NaN])('refuses %s steps', (steps) => {
    expect(() => createScheduler('DDIM', config, steps)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('1 to 1000') }),
    );
  });

  it('finds a scheduler by the class that a model folder names', () => {
    expect(schedulerNameOf('EulerDiscreteScheduler')).toBe('K_EULER');
    expect(schedulerNameOf('PNDMScheduler')).toBeNull();
  });

  it('descends through valid timesteps for every scheduler, spacing and number of steps', () => {
    const spacings = fc.constantFrom('leading', 'trailing', 'linspace');
    fc.assert(
      fc.property(
        fc.constantFrom(...SCHEDULER_NAMES),
        spacings,
        fc.integer({ min: 1, max: 1000 }),
        (name, spacing, steps) => {
          const spaced = parseSchedulerConfig({ timestep_spacing: spacing });
          const { timesteps } = createScheduler(name, spaced, steps);
          expect(timesteps).toHaveLength(steps);
          expect(timesteps.every((timestep, index) => index === 0 || timestep < timesteps[index - 1]!)).toBe(
            true,
          );
          expect(timesteps[0]!).toBeLessThan(1000);
          expect(timesteps[timesteps.length - 1]!).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it('recovers the clean sample when the model is right about the noise', () => {
    for (const name of SCHEDULER_NAMES) {
      const scheduler = createScheduler(name, parseSchedulerConfig({ timestep_spacing: 'trailing' }), 12);
      const clean = Float32Array.of(0.5, -1, 2);
      let sample: Float32Array = Float32Array.of(1, -0.25, 0.75).map(
        (value) => value * scheduler.initNoiseSigma,
      );
      for (let index = 0; index < scheduler.timesteps.length; index++) {
        // An oracle in the terms of DDIM: sample = signal * clean + deviation * noise; Euler divides by the signal.
        const noise = oracleNoise(name, scheduler.timesteps[index]!, sample, clean);
        sample = scheduler.step(noise, index, sample).previousSample;
      }
      expect(largestDifference(sample, clean)).toBeLessThan(1e-3);
    }
  });
});

function oracleNoise(
  name: string,
  timestep: number,
  sample: Float32Array,
  clean: Float32Array,
): Float32Array {
  let alpha = 1;
  for (let index = 0; index <= timestep; index++) alpha *= 1 - (0.0001 + (0.0199 * index) / 999);
  const signal = name === 'DDIM' ? Math.sqrt(alpha) : 1;
  const deviation = name === 'DDIM' ? Math.sqrt(1 - alpha) : Math.sqrt((1 - alpha) / alpha);
  return sample.map((value, index) => (value - signal * clean[index]!) / deviation);
}

describe('parseSchedulerConfig', () => {
  it.each([
    [
      { timestep_spacing: 'quadratic' },
      /timestep_spacing is "quadratic"; expected one of linspace, leading, trailing/,
    ],
    [{ beta_start: 'small' }, /beta_start is "small"; expected a number/],
    [{ trained_betas: [0.1, 'x'] }, /trained_betas/],
  ])('names the bad value in %o', (json, message) => {
    expect(() => parseSchedulerConfig(json)).toThrow(message);
  });

  it('refuses options that it would have to ignore', () => {
    expect(() => parseSchedulerConfig({ thresholding: true })).toThrow(DiffusionError);
    expect(() => parseSchedulerConfig({ interpolation_type: 'log_linear' })).toThrow(/interpolation_type/);
  });
});
