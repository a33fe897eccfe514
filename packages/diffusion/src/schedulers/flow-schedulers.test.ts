import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestDifference } from '../../fixtures/golden.ts';
import { wanGolden, wanGoldenTensor } from '../../fixtures/wan-golden.ts';
import { createNoiseGenerator } from '../random.ts';
import { FLOW_SCHEDULER_CLASSES, parseFlowSchedulerConfig } from './flow-config.ts';
import { createFlowScheduler } from './flow-schedulers.ts';

const SIZE = 16;
const generator = createNoiseGenerator(0);
const outputs = wanGoldenTensor('scheduler.model_outputs').data as Float32Array;
const start = wanGoldenTensor('scheduler.start').data as Float32Array;
const { timestep_counts, stepped, cases } = wanGolden.schedulers;
const WAN = {
  _class_name: 'UniPCMultistepScheduler',
  prediction_type: 'flow_prediction',
  use_flow_sigmas: true,
};

describe.each(cases.map(({ config }, index) => ({ config, index, title: JSON.stringify(config) })))(
  '$title, against diffusers',
  ({ config, index }) => {
    const parsed = parseFlowSchedulerConfig(config);

    it('has the same timesteps at every number of steps', () => {
      const expected = wanGoldenTensor(`scheduler.${index}.timesteps`).data;
      let offset = 0;
      for (const count of timestep_counts) {
        const { timesteps } = createFlowScheduler(parsed, count);
        // Whole numbers are equal; fractional ones to float32's digits of 1000.
        const tolerance = timesteps.every(Number.isInteger) ? 0 : 1e-4;
        const recorded = expected.slice(offset, offset + count);
        expect(largestDifference(timesteps, recorded), `${count} steps`).toBeLessThanOrEqual(tolerance);
        offset += count;
      }
      expect(offset).toBe(expected.length);
    });

    it('takes the same steps', () => {
      const expected = wanGoldenTensor(`scheduler.${index}.states`).data;
      let [offset, worst] = [0, 0];
      for (const count of stepped) {
        const scheduler = createFlowScheduler(parsed, count);
        let sample = start;
        let scale = 1;
        for (let step = 0; step < count; step++) {
          const output = outputs.slice(step * SIZE, (step + 1) * SIZE);
          sample = scheduler.step(output, step, sample, generator).previousSample;
          scale = sample.reduce((largest, value) => Math.max(largest, Math.abs(value)), scale);
          if (count > 5 && step < count - 1) continue;
          // Relative to the largest sample on the way, whose float32 digits bound what diffusers itself resolves.
          worst = Math.max(worst, largestDifference(sample, expected.slice(offset, offset + SIZE)) / scale);
          offset += SIZE;
        }
      }
      expect(offset).toBe(expected.length);
      if (process.env['PRINT_PARITY'])
        process.stdout.write(`flow case ${index}: ${worst.toExponential(1)}\n`);
      expect(worst).toBeLessThan(1e-5);
    });
  },
);

describe('createFlowScheduler', () => {
  it.each(FLOW_SCHEDULER_CLASSES)('%s recovers the clean sample when the model is right about it', (name) => {
    const shift = fc.double({ min: 0.5, max: 12, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), shift, (steps, amount) => {
        const config = parseFlowSchedulerConfig({
          ...WAN,
          _class_name: name,
          flow_shift: amount,
          shift: amount,
        });
        const scheduler = createFlowScheduler(config, steps);
        const clean = Float32Array.of(0.5, -1, 2);
        const noise = Float32Array.of(1, -0.25, 0.75);
        // The flow's velocity is the same everywhere on the straight way from the noise to the clean sample.
        const velocity = noise.map((value, element) => value - clean[element]!);
        let sample = scheduler.addNoise(clean, noise, 0);
        for (let index = 0; index < steps; index++) {
          const step = scheduler.step(velocity, index, sample, generator);
          expect(largestDifference(step.predictedOriginal, clean)).toBeLessThan(1e-4);
          sample = step.previousSample;
        }
        expect(largestDifference(sample, clean)).toBeLessThan(1e-4);
      }),
      { numRuns: 40 },
    );
  });

  it.each([0, -1, 2.5, 1001, Number.NaN])('refuses %s steps', (steps) => {
    expect(() => createFlowScheduler(parseFlowSchedulerConfig(WAN), steps)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('1 to 1000') }),
    );
  });
});

describe('parseFlowSchedulerConfig', () => {
  it.each([
    [
      { _class_name: 'DDIMScheduler' },
      /"DDIMScheduler"; videos are made with UniPCMultistepScheduler or Flow/,
    ],
    [{ use_flow_sigmas: false }, /use_flow_sigmas false; UniPCMultistepScheduler is available with true/],
    [{ use_flow_sigmas: undefined }, /use_flow_sigmas false/],
    [{ prediction_type: undefined }, /prediction_type "epsilon"/],
    [{ predict_x0: false }, /predict_x0 false/],
    [{ use_karras_sigmas: true }, /use_karras_sigmas true/],
    [{ shift_terminal: 0.1 }, /shift_terminal 0.1/],
    [
      { _class_name: 'FlowMatchEulerDiscreteScheduler', stochastic_sampling: true },
      /stochastic_sampling true/,
    ],
  ])('refuses %o, which it would have to ignore', (change, message) => {
    expect(() => parseFlowSchedulerConfig({ ...WAN, ...change })).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [{ flow_shift: 'large' }, /flow_shift is "large"; expected a number/],
    [{ flow_shift: 0 }, /flow_shift is 0; expected a number above 0/],
    [{ solver_order: 3 }, /solver_order is 3; expected one of 1, 2/],
    [{ solver_type: 'bh3' }, /solver_type is "bh3"/],
    [{ disable_corrector: [0.5] }, /disable_corrector is \[0.5\]/],
  ])('names the bad value in %o', (change, message) => {
    expect(() => parseFlowSchedulerConfig({ ...WAN, ...change })).toThrow(
      expect.objectContaining({ code: 'model_folder_invalid', message: expect.stringMatching(message) }),
    );
  });
});
