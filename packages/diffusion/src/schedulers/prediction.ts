/** From what a model predicts (noise, velocity or the clean sample) to the clean sample and the noise, as linear maps. */

import { DiffusionError } from '../errors.ts';
import type { PredictionType } from './scheduler-config.ts';

/** A value as `ofOutput * modelOutput + ofSample * sample`. */
export interface LinearMap {
  readonly ofOutput: number;
  readonly ofSample: number;
}

/** The clean sample x0, where sample = signal * x0 + deviation * noise and signal² + deviation² = 1. */
export function originalMap(prediction: PredictionType, signal: number, deviation: number): LinearMap {
  switch (prediction) {
    case 'epsilon':
      return { ofOutput: -deviation / signal, ofSample: 1 / signal };
    case 'v_prediction':
      return { ofOutput: -deviation, ofSample: signal };
    case 'sample':
      return { ofOutput: 1, ofSample: 0 };
  }
}

/** The noise, where sample = signal * x0 + deviation * noise and signal² + deviation² = 1. */
export function noiseMap(prediction: PredictionType, signal: number, deviation: number): LinearMap {
  switch (prediction) {
    case 'epsilon':
      return { ofOutput: 1, ofSample: 0 };
    case 'v_prediction':
      return { ofOutput: signal, ofSample: deviation };
    case 'sample':
      return { ofOutput: -signal / deviation, ofSample: 1 / deviation };
  }
}

/** The clean sample x0, where sample = x0 + sigma * noise: the space of Euler and LMS. */
export function originalMapOfSigma(prediction: PredictionType, sigma: number): LinearMap {
  switch (prediction) {
    case 'epsilon':
      return { ofOutput: -sigma, ofSample: 1 };
    case 'v_prediction':
      return { ofOutput: -sigma / Math.sqrt(sigma ** 2 + 1), ofSample: 1 / (sigma ** 2 + 1) };
    case 'sample':
      return { ofOutput: 1, ofSample: 0 };
  }
}

/** Refuses models that predict the clean sample, for the schedulers that have no rule for them in diffusers either. */
export function refuseSamplePrediction(scheduler: string, prediction: PredictionType): void {
  if (prediction !== 'sample') return;
  throw new DiffusionError(
    'unsupported',
    `${scheduler} does not support prediction_type "sample"; DDIM, KLMS and the DPMSolver schedulers do.`,
  );
}
