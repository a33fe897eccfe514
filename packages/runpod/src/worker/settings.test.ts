/** The platform's variables, good and bad. */
import { expect, test } from 'vitest';
import { settingsFrom } from './index.ts';

const env = {
  RUNPOD_WEBHOOK_GET_JOB: 'https://api.runpod.ai/v2/ep/job-take/$ID?gpu=NVIDIA+A40',
  RUNPOD_WEBHOOK_POST_OUTPUT: 'https://api.runpod.ai/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=NVIDIA+A40',
  RUNPOD_WEBHOOK_PING: 'https://api.runpod.ai/v2/ep/ping/$RUNPOD_POD_ID',
  RUNPOD_AI_API_KEY: 'rpa_X',
  RUNPOD_POD_ID: 'pod-1',
};

test('the least that works gives defaults', () => {
  expect(settingsFrom(env)).toEqual({
    workerId: 'pod-1',
    takeUrl: env.RUNPOD_WEBHOOK_GET_JOB,
    resultUrl: env.RUNPOD_WEBHOOK_POST_OUTPUT,
    streamUrl: undefined,
    pingUrl: env.RUNPOD_WEBHOOK_PING,
    pingIntervalMs: 10_000,
    apiKey: 'rpa_X',
    endpointId: undefined,
    logLevel: 'INFO',
    userAgentSuffix: undefined,
    lifeline: undefined,
  });
});

test('without a worker id or a key there is no heartbeat, and the id is a random UUID', () => {
  const settings = settingsFrom({ ...env, RUNPOD_POD_ID: undefined });
  expect(settings.pingUrl).toBeUndefined();
  expect(settings.workerId).toMatch(/^[0-9a-f-]{36}$/);
  expect(settingsFrom({ ...env, RUNPOD_AI_API_KEY: '' }).pingUrl).toBeUndefined();
});

test('every bad name is listed with what was expected', () => {
  const bad = {
    ...env,
    RUNPOD_WEBHOOK_GET_JOB: undefined,
    RUNPOD_WEBHOOK_POST_OUTPUT: 'https://x.test/job-done/$RUNPOD_POD_ID',
    RUNPOD_WEBHOOK_POST_STREAM: 'https://x.test/job-stream/$RUNPOD_POD_ID',
    RUNPOD_WEBHOOK_PING: 'ftp://x.test',
    RUNPOD_PING_INTERVAL: '10',
    RUNPOD_LOG_LEVEL: 'LOUD',
    RUNPOD_LOCAL_LIFELINE: 'rope',
  };
  let message = '';
  try {
    settingsFrom(bad);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'settings_invalid' });
    message = String((thrown as Error).message);
  }
  for (const expected of [
    'RUNPOD_WEBHOOK_GET_JOB should be a URL, but is not set',
    'RUNPOD_WEBHOOK_POST_OUTPUT should hold $ID',
    'RUNPOD_WEBHOOK_POST_STREAM should hold $ID',
    'RUNPOD_WEBHOOK_PING should be an http(s) URL, but is "ftp://x.test"',
    'RUNPOD_PING_INTERVAL should be whole milliseconds of at least 100, but is "10"',
    'RUNPOD_LOG_LEVEL should be one of TRACE',
    'RUNPOD_LOCAL_LIFELINE should be "stdin"',
  ]) {
    expect(message).toContain(expected);
  }
});
