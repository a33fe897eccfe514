// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import { completed, queued } from '../test/generations.ts';
import { mount } from '../test/mount.tsx';
import { GenerationList } from './generation-list.tsx';

const cancel = async () => undefined;

test('before the first answer it loads, unless the server is out of reach', async () => {
  const page = await mount(<GenerationList generations={undefined} isCurrent cancel={cancel} />);
  expect(page.find('[role=status]').getAttribute('aria-label')).toBe('Loading your pictures and videos');
  await page.draw(<GenerationList generations={undefined} isCurrent={false} cancel={cancel} />);
  expect(page.container.querySelector('[role=status]')).toBeNull();
});

test('an empty list invites, but only when it is known to be empty', async () => {
  const page = await mount(<GenerationList generations={[]} isCurrent cancel={cancel} />);
  expect(page.container.textContent).toContain('Nothing painted yet');
  await page.draw(<GenerationList generations={[]} isCurrent={false} cancel={cancel} />);
  expect(page.container.textContent).not.toContain('Nothing painted yet');
});

test('generations are the items of a named list, in their order', async () => {
  const page = await mount(
    <GenerationList generations={[queued('a cat'), completed('a dog', {})]} isCurrent cancel={cancel} />,
  );
  expect(page.find('ul').getAttribute('aria-label')).toBe('Your pictures and videos');
  const items = [...page.container.querySelectorAll('ul > li')];
  expect(items.map((item) => item.getAttribute('aria-label'))).toEqual(['a cat', 'a dog']);
});
