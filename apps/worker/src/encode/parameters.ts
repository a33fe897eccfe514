/** The generation parameters as AUTOMATIC1111's web UI writes them into its files, and as many tools read them. */
import type { ResolvedRequest, Scheduler } from '@firepod/contract';

/** Names that the web UI gives these samplers. */
const SAMPLER_NAMES: Record<Scheduler, string> = {
  DDIM: 'DDIM',
  PNDM: 'PLMS',
  KLMS: 'LMS',
  K_EULER: 'Euler',
  K_EULER_ANCESTRAL: 'Euler a',
  DPMSolverMultistep: 'DPM++ 2M',
  DPMSolverSinglestep: 'DPM++ 2S',
};

/** What the text says about the model and the program. */
export interface ParametersSource {
  modelName: string;
  /** The hex digest of the weights; its first ten digits are shown. */
  modelSha256: string | null;
  /** The hex digest of the picture that it was painted from; its first ten digits are shown. */
  sourceSha256?: string | null;
  /** Such as `Firepod 0.1.0`. */
  version: string;
}

/**
 * The text of one picture or video: the prompt, the negative prompt on a line of its own, then one line of `Key: value` pairs.
 * Form: `create_infotext` in modules/processing.py of AUTOMATIC1111/stable-diffusion-webui 1.10.
 * @param seed of this picture, which for the second picture of a request is not the request's
 */
export function parametersText(request: ResolvedRequest, seed: number, source: ParametersSource): string {
  const isVideo = request.task_type === 'text2video';
  const pairs: [key: string, value: string | number | null][] = [
    ['Steps', request.num_inference_steps],
    ['Sampler', isVideo ? null : SAMPLER_NAMES[request.scheduler]],
    ['CFG scale', isVideo ? request.video_guidance_scale : request.guidance_scale],
    ['Seed', seed],
    [
      'Size',
      isVideo ? `${request.video_width}x${request.video_height}` : `${request.width}x${request.height}`,
    ],
    ['Frames', isVideo ? request.num_frames : null],
    ['FPS', isVideo ? request.fps : null],
    ['Model hash', source.modelSha256?.slice(0, 10) ?? null],
    ['Model', source.modelName],
    ['Denoising strength', 'strength' in request ? request.strength : null],
    ['Init image hash', source.sourceSha256?.slice(0, 10) ?? null],
    ['Version', source.version],
  ];
  const lines = [request.prompt];
  if (request.negative_prompt) lines.push(`Negative prompt: ${request.negative_prompt}`);
  lines.push(
    pairs
      .filter(([, value]) => value !== null)
      .map(([key, value]) => `${key}: ${quoted(String(value))}`)
      .join(', '),
  );
  return lines.join('\n');
}

/** Values that hold a separator are written as JSON strings. */
function quoted(value: string): string {
  return /[,\n:]/.test(value) ? JSON.stringify(value) : value;
}
