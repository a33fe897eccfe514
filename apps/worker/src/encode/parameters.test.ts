import type { ResolvedImageRequest, ResolvedVideoRequest } from '@firepod/contract';
import { describe, expect, it } from 'vitest';
import { parametersText } from './parameters.ts';

const request: ResolvedImageRequest = {
  task_type: 'text2img',
  prompt: 'a red apple on a blue background',
  negative_prompt: null,
  width: 128,
  height: 96,
  num_images: 1,
  num_inference_steps: 25,
  guidance_scale: 7.5,
  scheduler: 'K_EULER_ANCESTRAL',
  seed: 7,
  output_format: 'png',
};
const source = { modelName: 'tiny-sdxl', modelSha256: 'abcdef0123456789', version: 'Firepod 0.1.0' };

describe('the parameters of a picture', () => {
  it('are the prompt and one line of pairs', () => {
    expect(parametersText(request, 8, source)).toBe(
      'a red apple on a blue background\n' +
        'Steps: 25, Sampler: Euler a, CFG scale: 7.5, Seed: 8, Size: 128x96, ' +
        'Model hash: abcdef0123, Model: tiny-sdxl, Version: Firepod 0.1.0',
    );
  });

  it('have the negative prompt on a line of its own', () => {
    const text = parametersText({ ...request, negative_prompt: 'dull, grey' }, 7, source);
    expect(text.split('\n')[1]).toBe('Negative prompt: dull, grey');
  });

  it('tell of a picture that it was painted from, and by which file, but not where that lies', () => {
    const image_url = 'https://example.com/a.png?signature=secret';
    const painted = { ...request, task_type: 'img2img' as const, strength: 0.6, image_url };
    const text = parametersText(painted, 7, { ...source, sourceSha256: '0123456789abcdef' });
    expect(text).toContain('Denoising strength: 0.6, Init image hash: 0123456789, Version');
    expect(text).not.toContain('example.com');
  });

  it('of a video have its size, frames and rate', () => {
    const video: ResolvedVideoRequest = {
      task_type: 'text2video',
      prompt: 'a red apple moving right',
      negative_prompt: '',
      num_inference_steps: 20,
      num_frames: 17,
      fps: 8,
      video_width: 96,
      video_height: 64,
      video_guidance_scale: 3,
      seed: 7,
    };
    expect(parametersText(video, 7, { ...source, modelSha256: null })).toBe(
      'a red apple moving right\n' +
        'Steps: 20, CFG scale: 3, Seed: 7, Size: 96x64, Frames: 17, FPS: 8, Model: tiny-sdxl, Version: Firepod 0.1.0',
    );
  });

  it('quote a value that holds a separator, and leave out what is not known', () => {
    const text = parametersText(request, 7, { ...source, modelName: 'emoji, small: v2', modelSha256: null });
    expect(text).toContain('Model: "emoji, small: v2", Version');
    expect(text).not.toContain('Model hash');
  });
});
