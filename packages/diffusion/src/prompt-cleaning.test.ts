import { describe, expect, it } from 'vitest';
import { wanGolden } from '../fixtures/wan-golden.ts';
import { cleanPrompt } from './prompt-cleaning.ts';

describe('cleanPrompt', () => {
  it.each(wanGolden.cleaned)('cleans $text as diffusers with ftfy does', ({ text, cleaned }) => {
    expect(cleanPrompt(text)).toBe(cleaned);
  });
});
