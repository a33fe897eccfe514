/** The measured pipeline of ours: loads a folder, then paints once for every line that it reads, and tells what it took. */
import { createInterface } from 'node:readline';
import { loadStableDiffusionXl, loadWan, ONNX_RUNTIME_VERSION } from '@firepod/diffusion';
import { InferenceSession } from 'onnxruntime-node';

const paintCase = JSON.parse(process.argv[2]);

let networksMs = 0;
const run = InferenceSession.prototype.run;
InferenceSession.prototype.run = async function timedRun(...values) {
  const startedAt = performance.now();
  try {
    return await run.apply(this, values);
  } finally {
    networksMs += performance.now() - startedAt;
  }
};

const paint = paintCase.task === 'text2video' ? await videoPainter() : await imagePainter();
say({ versions: `onnxruntime ${ONNX_RUNTIME_VERSION}, Node ${process.versions.node}` });

for await (const line of createInterface({ input: process.stdin })) {
  networksMs = 0;
  const stepEndsAtMs = [];
  const onProgress = ({ phase }) => {
    if (phase === 'denoise') stepEndsAtMs.push(performance.now());
  };
  const startedAt = performance.now();
  const pictures = await paint(onProgress);
  const totalMs = performance.now() - startedAt;
  const stepsMs = stepEndsAtMs.slice(1).map((endedAtMs, index) => endedAtMs - stepEndsAtMs[index]);
  const pixels = line === 'paint-and-show' ? { pixels: Buffer.concat(pictures).toString('base64') } : {};
  say({ totalMs, networksMs, stepsMs, ...pixels });
}

/** What both tasks' requests have in common. */
function request(onProgress) {
  const { prompt, negativePrompt, width, height, steps, guidanceScale } = paintCase;
  return { prompt, negativePrompt, width, height, numInferenceSteps: steps, guidanceScale, onProgress };
}

async function imagePainter() {
  const model = await loadStableDiffusionXl(where());
  return async (onProgress) => {
    const { images } = await model.textToImage({
      ...request(onProgress),
      scheduler: 'DDIM',
      seeds: [paintCase.seed],
    });
    return images.map(({ data }) => data);
  };
}

async function videoPainter() {
  const model = await loadWan(where());
  return async (onProgress) => {
    const { seed, frames: numFrames } = paintCase;
    const { frames } = await model.textToVideo({ ...request(onProgress), numFrames, seed });
    return frames.map(({ data }) => data);
  };
}

function where() {
  return { folder: paintCase.folder, threads: paintCase.threads };
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
