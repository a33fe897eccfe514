// @vitest-environment happy-dom
import { FirepodError, type GenerationRequest } from '@firepod/client';
import { type ModelCard, modelCardSchema } from '@firepod/contract';
import { act } from 'react';
import { expect, test } from 'vitest';
import { mount } from '../test/mount.tsx';
import { PromptForm } from './prompt-form.tsx';
import { type Start, type StartPicture, useStart } from './start-picture.ts';

/** The form with a function behind it that answers when it is told to, or refuses at once. */
async function mountForm(refusal?: FirepodError, cards: ModelCard[] = []) {
  const requests: GenerationRequest[] = [];
  let answer = () => {};
  const submit = async (request: GenerationRequest) => {
    requests.push(request);
    if (refusal !== undefined) throw refusal;
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
  };
  const uploads: Blob[] = [];
  const uploadSource = async (picture: Blob) => `gs://bucket/${uploads.push(picture)}.png`;
  let start: Start | undefined;
  function Form() {
    start = useStart();
    return <PromptForm cards={cards} start={start} submit={submit} uploadSource={uploadSource} />;
  }
  const page = await mount(<Form />);
  return {
    ...page,
    requests,
    uploads,
    prompt: page.find<HTMLTextAreaElement>('textarea:not([aria-hidden])'),
    answer: () => act(async () => answer()),
    startFrom: (picture: StartPicture) => act(async () => start?.choose(picture)),
    press: (options: KeyboardEventInit) =>
      act(async () =>
        page
          .find('textarea:not([aria-hidden])')
          .dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...options })),
      ),
  };
}

const pictures = modelCardSchema.parse({
  id: 'painter',
  name: 'Painter',
  version: '1',
  tasks: ['text2img', 'img2img', 'inpaint'],
  native_size: { width: 128, height: 128 },
  size_multiple: 8,
  defaults: { num_inference_steps: 25 },
  licence: 'MIT',
});
const videos = modelCardSchema.parse({
  id: 'filmer',
  name: 'Filmer',
  version: '1',
  tasks: ['text2video'],
  native_size: { width: 96, height: 96 },
  size_multiple: 16,
  frame_step: 4,
  defaults: { num_inference_steps: 20, num_frames: 17, fps: 8 },
  limits: { max_frames: 33 },
  licence: 'MIT',
});

test('nothing can be sent without a prompt', async () => {
  const form = await mountForm();
  expect(form.find<HTMLButtonElement>('button[type=submit]').disabled).toBe(true);
  await form.type(form.prompt, '  ');
  await form.press({ key: 'Enter', ctrlKey: true });
  expect(form.requests).toEqual([]);
});

test('settings are sent with the prompt, counted while they are folded away, and reset', async () => {
  const form = await mountForm();
  await form.type(form.prompt, 'a cat');
  await form.type(form.find<HTMLInputElement>('input', 'Steps'), '150');
  await form.type(form.find<HTMLInputElement>('input', 'Seed'), '7');
  await form.click(form.find('button', 'Generate'));
  expect(form.requests).toEqual([{ prompt: 'a cat', num_inference_steps: 150, seed: 7 }]);
  await form.answer();
  await form.click(form.find('button', 'Reset'));
  expect(form.find('button', 'Settings')).toBeDefined();
  await form.click(form.find('button', 'Generate'));
  expect(form.requests[1]).toEqual({ prompt: 'a cat' });
});

test('a picture to start from is uploaded once, and sent with how much of it may change', async () => {
  const form = await mountForm(undefined, [pictures]);
  const picture = new File(['bytes'], 'in.png', { type: 'image/png' });
  const input = form.find<HTMLInputElement>('input[type=file]');
  Object.defineProperty(input, 'files', { value: [picture] });
  await act(async () => input.dispatchEvent(new Event('change', { bubbles: true })));
  await form.type(form.prompt, 'a cat');
  await form.type(form.find<HTMLInputElement>('input', 'Change'), '0.3');
  await form.click(form.find('button', 'Generate'));
  await form.answer();
  await form.click(form.find('button', 'Generate'));
  const request = { prompt: 'a cat', image_url: 'gs://bucket/1.png', strength: 0.3 };
  expect(form.requests).toEqual([request, request]);
});

test('a result to start from is sent by its address, and nothing is uploaded', async () => {
  const form = await mountForm(undefined, [pictures]);
  await form.startFrom({ name: 'a cat', url: 'https://storage/a.png', file: null });
  expect(form.prompt).toBe(document.activeElement);
  await form.type(form.prompt, 'a dog');
  await form.click(form.find('button', 'Generate'));
  expect(form.requests).toEqual([{ prompt: 'a dog', image_url: 'https://storage/a.png' }]);
  await form.answer();
  await form.click(form.find('button[title="Start without this picture"]'));
  await form.click(form.find('button', 'Generate'));
  expect(form.requests[1]).toEqual({ prompt: 'a dog' });
  expect(form.uploads).toEqual([]);
});

test('a part of a picture that nobody has marked is not sent', async () => {
  const form = await mountForm(undefined, [pictures]);
  await form.startFrom({ name: 'a cat', url: 'https://storage/a.png', file: null });
  await form.type(form.prompt, 'a dog');
  await form.click(form.find('input[type=radio][value=part]'));
  await form.click(form.find('button', 'Generate'));
  expect(form.find('[role=alert]').textContent).toContain('Nothing is marked');
  expect(form.requests).toEqual([]);
});

test('only what a model makes can be chosen', async () => {
  const without = await mountForm(undefined, [pictures]);
  expect(without.container.querySelector('input[value=video]')).toBeNull();
  const only = await mountForm(undefined, [videos]);
  expect(only.find('form').getAttribute('aria-label')).toBe('New video');
  expect(only.container.querySelector('input[type=radio], input[type=file]')).toBeNull();
});

test('a video has its own settings and defaults, shares the prompt, and leaves the picture to start from aside', async () => {
  const form = await mountForm(undefined, [pictures, videos]);
  await form.startFrom({ name: 'a cat', url: 'https://storage/a.png', file: null });
  await form.type(form.prompt, 'a cat');
  await form.type(form.find<HTMLInputElement>('input', 'Steps'), '30');
  await form.click(form.find('input[type=radio][value=video]'));
  expect(form.find<HTMLInputElement>('input', 'Steps').placeholder).toBe('20');
  expect(form.find<HTMLInputElement>('input', 'Frames').placeholder).toBe('17');
  expect(form.container.textContent).toContain('5 to 33, by 4');
  expect(form.container.textContent).toContain('Makes 2.1 s');
  await form.type(form.find<HTMLInputElement>('input', 'Frames'), '33');
  await form.type(form.find<HTMLInputElement>('input', 'Seed'), '7');
  expect(form.container.textContent).toContain('Makes 4.1 s');
  await form.click(form.find('button', 'Generate'));
  expect(form.requests).toEqual([{ task_type: 'text2video', prompt: 'a cat', num_frames: 33, seed: 7 }]);
  await form.answer();

  await form.click(form.find('input[type=radio][value=image]'));
  await form.click(form.find('button', 'Generate'));
  expect(form.requests[1]).toEqual({
    prompt: 'a cat',
    num_inference_steps: 30,
    image_url: 'https://storage/a.png',
  });
});

test('Ctrl+Enter and Command+Enter send, Enter alone does not, and while it is being sent nothing does', async () => {
  const form = await mountForm();
  await form.type(form.prompt, 'a cat');
  await form.press({ key: 'Enter' });
  expect(form.requests).toHaveLength(0);
  // Both within one drawing of the page.
  await act(async () => {
    for (const key of ['ctrlKey', 'metaKey']) {
      form.prompt.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, key: 'Enter', [key]: true }));
    }
  });
  expect(form.requests).toHaveLength(1);
  await form.answer();
  await form.press({ key: 'Enter', metaKey: true });
  expect(form.requests).toHaveLength(2);
});

test('a refused setting is shown below its field, and the settings open for it', async () => {
  const message = 'num_inference_steps: 500 is not allowed; expected a whole number from 1 to 150.';
  const problems = [{ field: 'num_inference_steps', message }];
  const form = await mountForm(new FirepodError('invalid_argument', message, { problems }));
  await form.type(form.prompt, 'a cat');
  await form.type(form.find<HTMLInputElement>('input', 'Steps'), '500');
  expect(form.find('button', 'Settings (1)').getAttribute('aria-expanded')).toBe('false');
  await form.click(form.find('button', 'Generate'));
  expect(form.find('button', 'Settings (1)').getAttribute('aria-expanded')).toBe('true');
  const steps = form.find<HTMLInputElement>('input', 'Steps');
  expect(steps.getAttribute('aria-invalid')).toBe('true');
  expect(form.container.textContent).toContain('500 is not allowed; expected a whole number from 1 to 150.');
  expect(form.container.querySelector('[role=alert]')).toBeNull();
});

test('any other failure is told in the form, and the prompt stays to be sent again', async () => {
  const form = await mountForm(new FirepodError('quota_exceeded'));
  await form.type(form.prompt, 'a cat');
  await form.click(form.find('button', 'Generate'));
  expect(form.find('[role=alert]').textContent).toBe('Too many generations. Please try again later.');
  expect(form.prompt.value).toBe('a cat');
  expect(form.find<HTMLButtonElement>('button', 'Generate').disabled).toBe(false);
});
