import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOutputReader, reasonOf, type SdServerOutput, saysOutOfMemory } from './output.ts';

const bar = (step: number, steps: number, speed = '1.23it/s', fill = '=') =>
  `\r  |${fill.repeat(step)}>${' '.repeat(steps - step)}| ${step}/${steps} - ${speed}\u001b[K${step === steps ? '\n' : ''}`;

/** What the real one printed (commit 97d2990, CPU backend, weights of SDXL's and Wan 2.1 T2V 1.3B's shapes). */
const outputOf = (run: string) =>
  readFileSync(new URL(`../../../testing/sd-server-output/${run}.txt`, import.meta.url), 'utf8');
/** Two jobs of one step, of which the first loads the weights. */
const PICTURES = outputOf('sdxl-img2img-inpaint');
const VIDEO = outputOf('wan-video');

const readAll = (chunks: string[]): SdServerOutput[] => {
  const reader = createOutputReader();
  return chunks.flatMap((chunk) => reader.push(chunk));
};

describe('what sd-server prints', () => {
  it.each([
    ['pictures', PICTURES, Array(2).fill('encoding denoising 1/1 decoding').join(' ')],
    ['a video', VIDEO, 'denoising 1/2 2/2 decoding'],
  ])('is read as phases, steps and lines, without the bars of weights: %s', (_, output, expected) => {
    expect(output).toMatch(/\d+\/\d+ - [\d.]+MB\/s/);
    const read = readAll([output]);
    const shown = read
      .map((each) =>
        each.type === 'bar' ? `${each.step}/${each.steps}` : each.type === 'phase' ? each.phase : '',
      )
      .filter((each) => each !== '');
    // A phase is told by each of its messages.
    expect(shown.filter((each, index) => each !== shown[index - 1]).join(' ')).toBe(expected);
    const lines = read.filter((each) => each.type === 'line').map(({ text }) => text);
    expect(lines.filter((line) => !/^\[INFO \] [\w-]+\.[ch]pp:\d+ +- \S/.test(line))).toEqual([]);
    expect(reasonOf(lines)).toBe(null);
  });

  it('shows a step when it is drawn, not when the next one is', () => {
    const reader = createOutputReader();
    expect(reader.push(bar(1, 30))).toEqual([{ type: 'bar', step: 1, steps: 30 }]);
  });

  it('is the same however the chunks are cut', () => {
    const cuts = fc.array(fc.nat(PICTURES.length), { maxLength: 60 });
    fc.assert(
      fc.property(cuts, (positions) => {
        const edges = [0, ...positions.sort((one, other) => one - other), PICTURES.length];
        const chunks = edges.slice(1).map((edge, index) => PICTURES.slice(edges[index], edge));
        expect(readAll(chunks)).toEqual(readAll([PICTURES]));
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
    '[ERROR] ggml_extend.hpp:72   - ggml_aligned_malloc: insufficient memory (attempted to allocate 4900.07 MB)',
    '[ERROR] ggml_extend.hpp:72   - ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 5138094112',
    '[ERROR] ggml_extend.hpp:2234 - unet: failed to allocate the compute buffer',
    '[ERROR] ggml_extend.hpp:2803 - vae alloc compute buffer failed',
    '[ERROR] model_manager.cpp:737  - model manager alloc params backend buffer failed, size = 6500.00MB',
    "terminate called after throwing an instance of 'std::bad_alloc'",
    'ggml_vulkan: Device memory allocation of size 1 failed. vk::Device::allocateMemory: ErrorOutOfDeviceMemory',
  ])('tells lack of memory from other errors: %s', (line) => {
    expect(saysOutOfMemory(line)).toBe(true);
    expect(saysOutOfMemory('[ERROR] stable-diffusion.cpp:2790 - diffusion model compute failed')).toBe(false);
  });

  it('has its reason in the first and the last lines about errors', () => {
    expect(
      reasonOf([
        '[INFO ] a.cpp:1 - ok',
        '[ERROR] common.cpp:2383 - error: can only work with strength in [0.0, 1.0]',
        'bye',
      ]),
    ).toBe('error: can only work with strength in [0.0, 1.0]');
    // What the real one says of a file that is cut off, and when the text encoder does not fit.
    expect(
      reasonOf([
        "[INFO ] stable-diffusion.cpp:713  - loading model from '/weights/cut.safetensors'",
        "[ERROR] model_loader.cpp:321  - data offsets out of bounds for tensor 'decoder.conv_in.bias'",
        "[ERROR] stable-diffusion.cpp:715  - init model loader from file failed: '/weights/cut.safetensors'",
        "[ERROR] stable-diffusion.cpp:905  - get sd version from file failed: '/weights/cut.safetensors'",
        '[ERROR] main.cpp:92   - new_sd_ctx_t failed',
      ]),
    ).toMatch(/^data offsets out of bounds .*; init model .*; get sd version .*; new_sd_ctx_t failed$/);
    expect(
      reasonOf([
        '[ERROR] ggml_extend.hpp:72   - ggml_aligned_malloc: insufficient memory (attempted to allocate 1285.47 MB)',
        '[ERROR] ggml_extend.hpp:72   - ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1347911680',
        '[ERROR] model_manager.cpp:737  - model manager alloc params backend buffer failed, size = 1285.47MB',
        '[ERROR] ggml_extend.hpp:1989 - clip prepare graph weights failed',
        'conditioner.hpp:479: GGML_ASSERT(!chunk_hidden_states2.empty()) failed',
        '#1  0x00005619e76af37a in httplib::Server::listen_internal() ()',
      ]),
    ).toMatch(/^ggml_aligned_malloc: .* 1285.47 MB\); .*; clip prepare .*; .*GGML_ASSERT\(.*\) failed$/);
    expect(reasonOf(['all is well'])).toBe(null);
  });
});
