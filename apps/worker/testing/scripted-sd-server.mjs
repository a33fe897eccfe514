#!/usr/bin/env node
/**
 * Stands in for stable-diffusion.cpp's sd-server: the same options, routes, answers and lines of output. How it starts is
 * said by its model file (JSON: {"start": [fault of the first start, of the second, ...]}), how it works by each prompt.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const INFO = (text) => process.stdout.write(`[INFO ] stable-diffusion.cpp:100  - ${text}\n`);
const ERROR = (text) => process.stderr.write(`[ERROR] stable-diffusion.cpp:200  - ${text}\n`);
/** What the CPU backend of the real one says when weights do not fit. */
const NO_MEMORY = () => {
  ERROR('ggml_aligned_malloc: insufficient memory (attempted to allocate 4900.07 MB)');
  ERROR('ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 5138094112');
  ERROR('model manager alloc params backend buffer failed, size = 4900.07MB');
  ERROR('unet prepare graph weights failed');
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

if (process.argv[2] === '--version') {
  console.log('stable-diffusion.cpp version master-827-97d2990, commit 97d2990');
  process.exit(0);
}

const options = {};
for (let index = 2; index < process.argv.length; index += 1) {
  const name = process.argv[index].replace(/^--/, '');
  options[name] = process.argv[index + 1]?.startsWith('--') === false ? process.argv[++index] : true;
}
const modelPath = options.model ?? options['diffusion-model'];
const script = JSON.parse(readFileSync(modelPath, 'utf8'));
/** Every start is noted beside the model, for the test and for the next start. */
const startsFile = `${modelPath}.starts`;
appendFileSync(
  startsFile,
  `${JSON.stringify({ pid: process.pid, options, env: process.env, cwd: process.cwd() })}\n`,
);
const starts = readFileSync(startsFile, 'utf8').trim().split('\n').length;
const fault = script.start?.[starts - 1];

if (fault === 'slow') await pause(400);
if (fault === 'hang') await new Promise(() => setInterval(() => {}, 1000));
if (fault === 'out-of-memory') {
  ERROR('model manager alloc params backend buffer failed, size = 6500.00MB');
  ERROR('new_sd_ctx_t failed');
  process.exit(1);
}
if (fault === 'bad-model') {
  ERROR("data offsets out of bounds for tensor 'decoder.conv_in.bias'");
  ERROR(`init model loader from file failed: '${modelPath}'`);
  ERROR(`get sd version from file failed: '${modelPath}'`);
  ERROR('new_sd_ctx_t failed');
  process.exit(1);
}
// What listen() does when a program that is no sd-server has the port: nothing is said, and main returns 0.
if (fault === 'port-in-use') process.exit(0);

const mode = options['diffusion-model'] ? 'vid_gen' : 'img_gen';
const jobs = new Map();
let worked = Promise.resolve();
/** Half of a start's time, and most starts paint nothing. */
const loadSharp = async () => (await import('sharp')).default;

/** Draws as pretty_progress does: each bar between a return and an erased end of line. */
function bar(step, steps, { fill = '=', speed = '20.00it/s' } = {}) {
  const filled = Math.round((step / steps) * 50);
  const line = `\r  |${fill.repeat(filled)}${' '.repeat(50 - filled)}| ${step}/${steps} - ${speed}\u001b[K`;
  process.stdout.write(step === steps ? `${line}\n` : line);
}

/** Sources are repainted by the last steps alone: the share of them, cut down to whole ones, and one more. */
function stepsOf({ sample_params: { sample_steps }, init_image, strength }) {
  if (!init_image || strength === 1) return sample_steps;
  return Math.min(Math.trunc(Math.fround(sample_steps * Math.fround(strength))), sample_steps - 1) + 1;
}

async function work(job) {
  const { prompt, seed, width, height, init_image } = job.body;
  const steps = stepsOf(job.body);
  job.status = 'generating';
  if (mode === 'img_gen') INFO(`generate_image ${width}x${height}`);
  if (init_image) INFO('IMG2IMG');
  if (steps < job.body.sample_params.sample_steps) INFO(`target t_enc is ${steps - 1} steps`);
  if (prompt === 'hangs') await new Promise(() => {});
  if (prompt === 'fills memory') {
    NO_MEMORY();
    ERROR('diffusion model compute failed');
    ERROR('Diffusion model sampling failed');
    ERROR('sampling for image 1/1 failed after 0.03s');
    return Object.assign(job, {
      status: 'failed',
      error: { code: 'generation_failed', message: 'generate_image returned no results' },
    });
  }
  if (prompt === 'asserts memory') {
    NO_MEMORY();
    process.stderr.write('conditioner.hpp:479: GGML_ASSERT(!chunk_hidden_states2.empty()) failed\n');
    process.abort();
  }
  if (prompt === 'fails') {
    ERROR('diffusion model compute failed');
    return Object.assign(job, {
      status: 'failed',
      error: { code: 'generation_failed', message: 'generate_image returned no results' },
    });
  }
  bar(3, 9, { fill: '#', speed: '1.50GB/s' });
  bar(9, 9, { fill: '#', speed: '1.50GB/s' });
  INFO('get_learned_condition completed, taking 0.31s');
  INFO(mode === 'img_gen' ? `generating image: 1/1 - seed ${seed}` : `generate_video ${width}x${height}x5`);
  for (let step = 1; step <= steps; step += 1) {
    await pause(5);
    if (prompt === 'prints garbage')
      process.stdout.write(Buffer.from(Array.from({ length: 999 }, (_, at) => (at * 7) % 256)));
    bar(step, steps);
    if (prompt === 'crashes' && step === 2) {
      process.stderr.write('ggml_cuda.cu:88: CUDA error: an illegal memory access was encountered');
      process.abort();
    }
    if (prompt === 'aborts for memory' && step === 2) {
      process.stderr.write(
        'CUDA error: out of memory\n  current device: 0, in function alloc at ggml-cuda.cu:411\n',
      );
      process.abort();
    }
    if (prompt === 'waits') await pause(50);
  }
  INFO('sampling completed, taking 0.10s');
  INFO(`generating ${mode === 'img_gen' ? '1 latent images' : 'latent video'} completed, taking 0.10s`);
  if (mode === 'img_gen') INFO('decoding 1 latents');
  bar(1, 2, { speed: '3.00s/it' }); // tiles
  bar(2, 2, { speed: '3.00s/it' });
  INFO('decode_first_stage completed, taking 6.00s');
  job.result =
    mode === 'img_gen' ? { output_format: 'png', images: await images(job.body) } : await video(job.body);
  if (prompt === 'answers nonsense') job.result = { images: [{ index: 0, b64_json: 'AAAA' }] };
  if (prompt === 'answers hugely') job.padding = 'A'.repeat(8_000_000);
  job.status = 'completed';
}

/** One colour: the seed in its red and green bytes, and what reached the server in the blue one. */
async function images(body) {
  const blue = (body.init_image ? 1 : 0) + (body.mask_image ? 2 : 0);
  const sharp = await loadSharp();
  const png = await sharp({
    create: {
      width: body.width,
      height: body.height,
      channels: 3,
      background: { r: body.seed % 256, g: Math.floor(body.seed / 256) % 256, b: blue },
    },
  })
    .png()
    .toBuffer();
  return [{ index: 0, b64_json: png.toString('base64') }];
}

async function video({ width, height, video_frames, fps }) {
  const count = video_frames - ((video_frames - 1) % 4);
  const sharp = await loadSharp();
  const chunks = [];
  for (let frame = 0; frame < count; frame += 1) {
    const background = { r: frame * 20, g: 0, b: 0 };
    chunks.push(
      chunk(
        '00dc',
        await sharp({ create: { width, height, channels: 3, background } })
          .jpeg()
          .toBuffer(),
      ),
    );
  }
  const avih = Buffer.alloc(56);
  avih.writeUInt32LE(width, 32);
  avih.writeUInt32LE(height, 36);
  const headers = chunk('LIST', Buffer.concat([Buffer.from('hdrl'), chunk('avih', avih)]));
  const frames = chunk('LIST', Buffer.concat([Buffer.from('movi'), ...chunks]));
  const avi = chunk(
    'RIFF',
    Buffer.concat([Buffer.from('AVI '), headers, frames, chunk('idx1', Buffer.alloc(16))]),
  );
  return {
    output_format: 'avi',
    mime_type: 'video/x-msvideo',
    fps,
    frame_count: count,
    b64_json: avi.toString('base64'),
  };
}

function chunk(name, body) {
  const head = Buffer.from(`${name}0000`);
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

let fullQueueAnswers = 2;
function submit(response, body) {
  if (body.prompt === 'is refused') {
    // The answer and the line go two ways, and the line can lose.
    setTimeout(() => ERROR('error: can only work with strength in [0.0, 1.0]'), 30);
    return answer(response, 400, { error: 'invalid generation parameters' });
  }
  if (body.prompt === 'breaks the server')
    return answer(response, 500, { error: 'server_error', message: 'bad_function_call' });
  if (body.prompt === 'meets a queue' && fullQueueAnswers-- > 0)
    return answer(response, 429, { error: 'job queue is full' });
  if (body.prompt === 'gets no JSON') return response.writeHead(202).end('<html>');
  const job = { id: `job_${(jobs.size + 1).toString(16)}`, kind: mode, status: 'queued', body };
  if (body.prompt !== 'is lost') jobs.set(job.id, job);
  worked = worked.then(() => work(job));
  appendFileSync(`${modelPath}.jobs`, `${JSON.stringify(body)}\n`);
  answer(response, 202, {
    id: job.id,
    kind: mode,
    status: 'queued',
    created: 1,
    poll_url: `/sdcpp/v1/jobs/${job.id}`,
  });
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (part) => chunks.push(part));
  request.on('end', () => {
    const id = /^\/sdcpp\/v1\/jobs\/([\w-]+)$/.exec(request.url)?.[1];
    if (request.url === '/sdcpp/v1/capabilities') {
      answer(response, 200, {
        model: { name: 'model', stem: 'model', path: fault === 'another-model' ? '/elsewhere' : modelPath },
        current_mode: mode,
        supported_modes: [fault === 'another-mode' ? 'vid_gen' : mode],
        samplers: script.samplers ?? ['euler', 'euler_a', 'dpm++2m', 'ddim_trailing', 'lms'],
        schedulers: ['discrete', 'normal', 'karras', 'simple'],
        features: { cancel_queued: true, cancel_generating: false },
      });
    } else if (request.url === `/sdcpp/v1/${mode}`) {
      submit(response, JSON.parse(Buffer.concat(chunks).toString('utf8')));
    } else if (id !== undefined) {
      const job = jobs.get(id);
      if (!job) return answer(response, 404, { error: 'job not found' });
      const { body: _, ...shown } = job;
      answer(response, 200, { result: null, error: null, ...shown });
    } else {
      answer(response, 400, { error: 'loaded model does not support this mode' });
    }
  });
});
server.listen(Number(options['listen-port']), options['listen-ip'], () =>
  INFO(`listening on: http://${options['listen-ip']}:${options['listen-port']}`),
);
