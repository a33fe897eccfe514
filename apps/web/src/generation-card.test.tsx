// @vitest-environment happy-dom
import { FirepodError } from '@firepod/client';
import { act } from 'react';
import { expect, test } from 'vitest';
import { completed, failed, processing, queued } from '../test/generations.ts';
import { mount } from '../test/mount.tsx';
import { GenerationCard } from './generation-card.tsx';

const preview = 'data:image/webp;base64,AA==';
const progress = { phase: 'denoising', step: 63, steps: 150, percent: 42, eta_seconds: 3 } as const;
const noCancel = () => Promise.reject(new Error('not asked for'));

test('a queued generation says that it waits and can be cancelled', async () => {
  let cancels = 0;
  const page = await mount(<GenerationCard generation={queued('a cat')} cancel={async () => cancels++} />);
  expect(page.find('li').dataset['status']).toBe('queued');
  expect(page.container.textContent).toContain('Waiting for a worker');
  await page.click(page.find('button', 'Cancel'));
  expect(cancels).toBe(1);
});

test('a running generation shows the forming picture, words, and a progressbar that names what it is of', async () => {
  const page = await mount(
    <GenerationCard generation={processing('a cat', { progress, preview })} cancel={noCancel} />,
  );
  expect(page.find<HTMLImageElement>('img').src).toBe(preview);
  expect(page.container.textContent).toContain('Painting 42 %, 3 s left');
  const bar = page.find('[role=progressbar]');
  expect(bar.getAttribute('aria-valuenow')).toBe('42');
  expect(bar.getAttribute('aria-label')).toBe('Progress of a cat');
  expect(bar.getAttribute('aria-valuetext')).toBe('Painting 42 %, 3 s left');
});

test('the forming picture stays until the finished one has been loaded', async () => {
  const page = await mount(
    <GenerationCard generation={processing('a cat', { progress, preview })} cancel={noCancel} />,
  );
  const data = { image_urls: ['http://localhost/a.png'] };
  await page.draw(<GenerationCard generation={completed('a cat', data)} cancel={noCancel} />);
  expect(page.find<HTMLImageElement>('img.forming').src).toBe(preview);
  await act(async () => page.find('a img').dispatchEvent(new Event('load')));
  expect(page.container.querySelector('img.forming')).toBeNull();
});

test('each of several pictures can be opened, and notes on the request stand below without field names', async () => {
  const data = {
    image_urls: ['http://localhost/a.png', 'http://localhost/a_1.png'],
    width: 128,
    height: 64,
    seed: 7,
    warnings: ['prompt: Tiny does not know “zebra”.'],
  };
  const page = await mount(<GenerationCard generation={completed('a zebra', data)} cancel={noCancel} />);
  const links = [...page.container.querySelectorAll('a')];
  expect(links.map((link) => link.href)).toEqual(data.image_urls);
  expect(links.map((link) => link.querySelector('img')?.alt)).toEqual([
    'a zebra (1 of 2)',
    'a zebra (2 of 2)',
  ]);
  expect(page.find('.warning').textContent).toBe('Tiny does not know “zebra”.');
  expect(page.container.textContent).toContain('128×64');
  expect(page.find('button', 'seed 7')).toBeDefined();
});

test('a picture that cannot be loaded is named, not broken', async () => {
  const data = { image_urls: ['http://localhost/gone.png'] };
  const page = await mount(<GenerationCard generation={completed('a cat', data)} cancel={noCancel} />);
  await act(async () => page.find('a img').dispatchEvent(new Event('error')));
  expect(page.container.textContent).toContain('The picture could not be loaded.');
});

test("the results of a guide's video worker play, with the time that they take", async () => {
  const data = { video_url: 'http://localhost/a.mp4', fps: 8, num_frames: 17 };
  const page = await mount(<GenerationCard generation={completed('a cat', data)} cancel={noCancel} />);
  const video = page.find<HTMLVideoElement>('video');
  expect(video).toMatchObject({ src: data.video_url, loop: true, muted: true, controls: true });
  expect(page.find('.facts').textContent).toBe('2.1 s');
  await act(async () => video.dispatchEvent(new Event('error')));
  expect(page.container.textContent).toContain('The video could not be loaded.');
});

test('a new picture can start from each of several, and from none where no model can or it is a video', async () => {
  const urls = ['http://localhost/a.png', 'http://localhost/a_1.png'];
  const started: unknown[] = [];
  const cardOf = (data: Parameters<typeof completed>[1]) => (
    <GenerationCard
      generation={completed('a cat', data)}
      cancel={noCancel}
      startFrom={(picture) => started.push(picture)}
    />
  );
  const page = await mount(cardOf({ image_urls: urls }));
  await page.click(page.find('[aria-label="Start from picture 2"]'));
  await page.draw(cardOf({ image_urls: urls.slice(0, 1) }));
  await page.click(page.find('button', 'Start from this'));
  expect(started).toEqual([urls[1], urls[0]].map((url) => ({ name: 'a cat', url, file: null })));
  await page.draw(cardOf({ video_url: 'http://localhost/a.mp4' }));
  expect(page.container.textContent).not.toContain('Start from');
  expect(page.find('button', 'Save')).toBeDefined();
});

test('a failure tells its reason, a cancelled one only that', async () => {
  const page = await mount(
    <GenerationCard
      generation={failed('a cat', 'source_not_available', 'image_url: the picture is damaged.')}
      cancel={noCancel}
    />,
  );
  expect(page.container.textContent).toContain('The picture is damaged.');
  expect(page.container.textContent).not.toContain('image_url');
  await page.draw(<GenerationCard generation={failed('a cat', 'cancelled', 'By you.')} cancel={noCancel} />);
  expect(page.container.textContent).toContain('Cancelled');
  expect(page.container.querySelector('button')).toBeNull();
});

test('a cancel that did not reach the server says so, and can be tried again', async () => {
  const page = await mount(
    <GenerationCard
      generation={queued('a cat')}
      cancel={() => Promise.reject(new FirepodError('unavailable'))}
    />,
  );
  await page.click(page.find('button', 'Cancel'));
  expect(page.find('[role=alert]').textContent).toBe(
    'Not cancelled. The server could not be reached. Please try again.',
  );
  expect(page.find<HTMLButtonElement>('button', 'Cancel').disabled).toBe(false);
});
