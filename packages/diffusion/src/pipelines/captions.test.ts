/** A small part of models/evaluate: what an independent classifier sees in what the shipped models make of held-out captions. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bestNames,
  type Classifier,
  openClassifier,
  readDrawn,
  type Scores,
  sample,
} from '../../fixtures/caption-sample.ts';
import { largestDifference } from '../../fixtures/golden.ts';
import { loadStableDiffusionXl, type StableDiffusionXl } from './stable-diffusion-xl.ts';
import { loadWan } from './wan.ts';

const MODELS = join(import.meta.dirname, '..', '..', '..', '..', 'models');
const readDefaults = (model: string) =>
  JSON.parse(readFileSync(join(MODELS, model, 'model_card.json'), 'utf8')).defaults;

/** The share, 0 to 1, of answers that are the wanted ones. */
const agreement = (seen: readonly string[], wanted: readonly string[]) =>
  seen.filter((name, index) => name === wanted[index]).length / wanted.length;

/** Expects the goal to be reached, and to be out of reach where each picture is held against the caption of another. */
function expectAgreement(seen: readonly string[], wanted: readonly string[], goal: number): void {
  const answers = seen.map((name, index) => `${wanted[index]}: ${name}`).join(', ');
  expect(agreement(seen, wanted), answers).toBeGreaterThanOrEqual(goal);
  const withOthers = wanted
    .slice(1)
    .map((_, index) => agreement(seen, [...wanted.slice(index + 1), ...wanted.slice(0, index + 1)]));
  expect(Math.max(...withOthers), answers).toBeLessThan(goal);
  const mean = withOthers.reduce((sum, share) => sum + share) / withOthers.length;
  expect(mean, answers).toBeLessThan(goal / 3);
}

/** Expects scores to be those that Python recorded with 3 decimals; they lie between about -20 and 20. */
function expectRecorded(scores: Scores, recorded: Scores): void {
  expect(Object.keys(scores).sort()).toEqual(Object.keys(recorded).sort());
  for (const [question, values] of Object.entries(recorded))
    expect(largestDifference(scores[question]!, values), question).toBeLessThan(0.002);
}

// Hundreds of steps of real networks: ten seconds on a quiet machine, a minute on a crowded one.
describe('pictures of models/tiny-sdxl from held-out captions', { timeout: 180_000 }, () => {
  const { classes, singles, pairs, drawn } = sample.pictures;
  const defaults = readDefaults('tiny-sdxl');
  let classifier: Classifier;
  let pipeline: StableDiffusionXl;
  beforeAll(async () => {
    classifier = await openClassifier('picture');
    pipeline = await loadStableDiffusionXl({ folder: join(MODELS, 'tiny-sdxl'), threads: 1 });
  });
  afterAll(() => Promise.all([classifier.release(), pipeline.dispose()]));

  async function look(prompt: string, seed: number): Promise<Scores> {
    const { images } = await pipeline.textToImage({
      prompt,
      negativePrompt: null,
      width: defaults.width,
      height: defaults.height,
      numInferenceSteps: defaults.num_inference_steps,
      guidanceScale: defaults.guidance_scale,
      scheduler: defaults.scheduler,
      seeds: [seed],
    });
    return classifier.scores(images[0]!.data, [1, defaults.height, defaults.width, 3]);
  }

  it('are judged as in Python: drawn originals get the scores that Python gave them, and their names', async () => {
    const { pixels, scores: recorded } = readDrawn(drawn);
    const scores = await classifier.scores(pixels, drawn.shape);
    expectRecorded(scores, recorded);
    const placed = singles.find(({ position }) => position !== 'center')!;
    for (const question of ['subject', 'background', 'position'] as const)
      expect(bestNames(scores[question]!, classes[question])[0]).toBe(placed[question]);
    const halves = bestNames(scores['half_subjects']!, classes.subject);
    expect(halves.slice(2)).toEqual(pairs[0]!.subjects);
  });

  it('show the subject, background and position of their own caption, not of another', async () => {
    const scores = [];
    for (const { caption, seed } of singles) scores.push(await look(caption, seed));
    for (const [question, goal] of [
      ['subject', 0.85],
      ['background', 0.97],
      ['position', 0.9],
    ] as const) {
      const seen = scores.map((each) => bestNames(each[question]!, classes[question])[0]!);
      expectAgreement(
        seen,
        singles.map((single) => single[question]),
        goal,
      );
    }
  });

  it('show both subjects of a pair in their order', async () => {
    const seen: string[] = [];
    for (const { caption, seed } of pairs) {
      const scores = await look(caption, seed);
      seen.push(bestNames(scores['half_subjects']!, classes.subject).join(' and '));
    }
    expectAgreement(
      seen,
      pairs.map(({ subjects }) => subjects.join(' and ')),
      0.6,
    );
    const reversed = pairs.map(({ subjects: [left, right] }) => `${right} and ${left}`);
    expect(agreement(seen, reversed)).toBe(0);
  });
});

describe('clips of models/tiny-wan from held-out captions', { timeout: 180_000 }, () => {
  const { classes, clips, drawn } = sample.clips;
  const defaults = readDefaults('tiny-wan');
  let classifier: Classifier;
  beforeAll(async () => {
    classifier = await openClassifier('clip');
  });
  afterAll(() => classifier.release());

  it('are judged as in Python: a drawn original gets the scores that Python gave it, and its names', async () => {
    const { pixels, scores: recorded } = readDrawn(drawn);
    const scores = await classifier.scores(pixels, drawn.shape);
    expectRecorded(scores, recorded);
    for (const question of ['subject', 'motion', 'background'] as const)
      expect(bestNames(scores[question]!, classes[question])).toEqual([clips[0]![question]]);
  });

  it('show the subject, motion and background of their own caption, not of another', async () => {
    const pipeline = await loadWan({ folder: join(MODELS, 'tiny-wan'), threads: 1 });
    const scores: Scores[] = [];
    try {
      for (const { caption, seed } of clips) {
        const { frames } = await pipeline.textToVideo({
          prompt: caption,
          negativePrompt: defaults.negative_prompt,
          width: defaults.video_width,
          height: defaults.video_height,
          numFrames: defaults.num_frames,
          numInferenceSteps: defaults.num_inference_steps,
          guidanceScale: defaults.video_guidance_scale,
          seed,
        });
        const pixels = Buffer.concat(frames.map(({ data }) => data));
        const shape = [1, frames.length, defaults.video_height, defaults.video_width, 3];
        scores.push(await classifier.scores(pixels, shape));
      }
    } finally {
      await pipeline.dispose();
    }
    for (const [question, goal] of [
      ['subject', 0.75],
      ['motion', 0.9],
      ['background', 0.97],
    ] as const) {
      const seen = scores.map((each) => bestNames(each[question]!, classes[question])[0]!);
      expectAgreement(
        seen,
        clips.map((clip) => clip[question]),
        goal,
      );
    }
  });
});
