// @vitest-environment happy-dom
import { act } from 'react';
import { expect, test } from 'vitest';
import { mount } from '../test/mount.tsx';
import { StudioHeader } from './studio-header.tsx';

const guest = { isAnonymous: true, email: null };
const ada = { isAnonymous: false, email: 'ada@example.com' };

async function mountHeader(user: typeof guest | typeof ada, hasPictures: boolean) {
  let signOuts = 0;
  const page = await mount(<StudioHeader user={user} hasPictures={hasPictures} signOut={() => signOuts++} />);
  await page.click(page.find('button', 'Sign out'));
  return { ...page, signOuts: () => signOuts };
}

test.each([
  ['somebody with an address', ada, true],
  ['a guest without pictures', guest, false],
])('%s is signed out at once', async (_who, user, hasPictures) => {
  const header = await mountHeader(user, hasPictures);
  expect(header.signOuts()).toBe(1);
});

test('a guest with pictures is asked first, because nobody gets back to them', async () => {
  const header = await mountHeader(guest, true);
  expect(header.signOuts()).toBe(0);
  const dialog = document.querySelector('[role=dialog]');
  expect(dialog?.textContent).toContain('nobody will get back to your pictures');
  const confirm = [...(dialog?.querySelectorAll('button') ?? [])].find((button) =>
    button.textContent?.startsWith('Sign out'),
  );
  await act(async () => confirm?.click());
  expect(header.signOuts()).toBe(1);
});
