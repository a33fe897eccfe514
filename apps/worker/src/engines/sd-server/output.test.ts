import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOutputReader, reasonOf, type SdServerOutput, saysOutOfMemory } from './output.ts';

const bar = (step: number, steps: number, speed = '1.23it/s', fill = '=') =>
  `\r  |${fill.repeat(step)}>${' '.repeat(steps - step)}| ${step}/${steps} - ${speed}\u001b[K${step === steps ? '\n' : ''}`;
const weights = (step: number) =>
  `\r  |${'#'.repeat(step)}${' '.repeat(9 - step)}| ${step}/9 - 1.50GB/s\u001b[K${step === 9 ? '\n' : ''}`;

/** What a real run prints, as its source says. */
const RUN = [
  '[INFO ] main.cpp:113  - listening on: http://127.0.0.1:1234\n\n',
  '[INFO ] stable-diffusion.cpp:5628 - generate_image 1024x1024\n',
  weights(4),
  weights(9),
  '[INFO ] stable-diffusion.cpp:5296 - get_learned_condition completed, taking 0.31s\n',
  '[INFO ] stable-diffusion.cpp:5679 - generating image: 1/1 - seed 42\n',
  ...[1, 2, 3].map((step) => bar(step, 3, step === 1 ? '2.11s/it' : '1.05it/s')),
  '[INFO ] stable-diffusion.cpp:5711 - sampling completed, taking 2.10s\n',
  '[INFO ] stable-diffusion.cpp:5321 - decoding 1 latents\n',
  bar(1, 4),
  '[INFO ] stable-diffusion.cpp:5861 - generate_image completed in 3.0s\n',
].join('');

const readAll = (chunks: string[]): SdServerOutput[] => {
  const reader = createOutputReader();
  return chunks.flatMap((chunk) => reader.push(chunk));
};

describe('what sd-server prints', () => {
  it('is read as phases, steps and lines, without the bars of weights', () => {
    const read = readAll([RUN]);
    const shown = read.filter(({ type }) => type !== 'line');
    expect(
      shown.map((each) =>
        each.type === 'bar' ? `${each.step}/${each.steps}` : 'phase' in each && each.phase,
      ),
    ).toEqual(['encoding', 'denoising', 'denoising', '1/3', '2/3', '3/3', 'decoding', 'decoding', '1/4']);
    expect(
      read
        .filter((each) => each.type === 'line')
        .map(({ text }) => text)
        .join(),
    ).not.toMatch(/GB\/s|it\/s/);
  });

  it('shows a step when it is drawn, not when the next one is', () => {
    const reader = createOutputReader();
    expect(reader.push(bar(1, 30))).toEqual([{ type: 'bar', step: 1, steps: 30 }]);
  });

  it('is the same however the chunks are cut', () => {
    const cuts = fc.array(fc.nat(RUN.length), { maxLength: 60 });
    fc.assert(
      fc.property(cuts, (positions) => {
        const edges = [0, ...positions.sort((one, other) => one - other), RUN.length];
        const chunks = edges.slice(1).map((edge, index) => RUN.slice(edges[index], edge));
        expect(readAll(chunks)).toEqual(readAll([RUN]));
      }),
      { numRuns: 100 },
    );
  });

  it('never throws, keeps no more than a piece, and counts no step beyond the last, whatever is printed', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.constantFrom(
        '\r',
        '\n',
        '\u001b[K',
        '|=> | 3/2 - 1.0it/s',
        '|=>| 0/5 - 1s/it',
        '1/2',
        '|',
        '\u001b[31m',
      ),
    );
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 12 }), (chunks) => {
        for (const each of readAll(chunks)) {
          if (each.type === 'bar') expect(each.step).toBeLessThanOrEqual(each.steps);
        }
      }),
    );
    const reader = createOutputReader();
    for (let chunk = 0; chunk < 10; chunk++) expect(reader.push('x'.repeat(10_000))).toEqual([]);
    expect(JSON.stringify(reader.push('\n')).length).toBeLessThan(20_000);
  });

  it.each([
    'ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2048.00 MiB on device 0: cudaMalloc failed: out of memory',
    'CUDA error: out of memory',
    '[ERROR] ggml_extend.hpp:2234 - unet: failed to allocate the compute buffer',
    '[ERROR] ggml_extend.hpp:2803 - vae alloc compute buffer failed',
    '[ERROR] model_manager.cpp:737  - model manager alloc params backend buffer failed, size = 6500.00MB',
    "terminate called after throwing an instance of 'std::bad_alloc'",
    'ggml_vulkan: Device memory allocation of size 1 failed. vk::Device::allocateMemory: ErrorOutOfDeviceMemory',
  ])('tells lack of memory from other errors: %s', (line) => {
    expect(saysOutOfMemory(line)).toBe(true);
    expect(saysOutOfMemory('[ERROR] stable-diffusion.cpp:2790 - diffusion model compute failed')).toBe(false);
  });

  it('has its reason in the last lines about errors', () => {
    expect(
      reasonOf([
        '[INFO ] a.cpp:1 - ok',
        '[ERROR] common.cpp:2383 - error: can only work with strength in [0.0, 1.0]',
        'bye',
      ]),
    ).toBe('error: can only work with strength in [0.0, 1.0]');
    expect(reasonOf(['all is well'])).toBe(null);
  });
});
