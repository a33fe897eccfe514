import { describe, expect, it } from 'vitest';
import { parseJobInput, parseSubmission } from './request.ts';
import { sourceFault } from './source-url.ts';

const rules = { userId: 'ada', bucket: 'app.firebasestorage.app', storageEmulatorHost: '127.0.0.1:9199' };
const faultOf = (url: string, some: object = {}) => sourceFault('image_url', url, { ...rules, ...some });

describe("the door, by a source's address alone,", () => {
  it.each([
    'https://example.com/a.png',
    'https://example.com:8443/a.png?token=x#y',
    'https://bücher.example/a.png',
    'gs://app.firebasestorage.app/generating/ada/source/a.png',
    'http://127.0.0.1:9199/app/generating%2Fada%2Fimage%2Fa.png',
  ])('lets %s in', (url) => {
    expect(faultOf(url)).toBeNull();
  });

  it.each([
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://0251.0376.0251.0376/',
    'https://8.8.8.8/a.png',
    'https://8.8.8.8./a.png',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://localhost/',
    'https://localhost./',
    'https://app.localhost/',
    'https://metadata.google.internal/computeMetadata/v1/',
    'https://printer.local/',
    'https://router/',
  ])('refuses %s, whose host is no public name', (url) => {
    expect(faultOf(url)).toBe(
      'an https address whose host is a public name, as in https://example.com/a.png',
    );
  });

  it.each(['http://example.com/a.png', 'http://127.0.0.1:8080/a.png'])(
    'refuses %s, which is not https',
    (url) => {
      expect(faultOf(url)).toMatch(/^an https address, gs:/);
    },
  );

  it('refuses http on this machine where no local Storage is', () => {
    expect(faultOf('http://127.0.0.1:9199/a.png', { storageEmulatorHost: undefined })).toMatch(
      /^an https address, gs:/,
    );
  });

  it('refuses credentials', () => {
    expect(faultOf('https://ada:secret@example.com/a.png')).toBe(
      'an https address without a user name or password',
    );
  });

  it.each([
    'gs://another/generating/ada/source/a.png',
    'gs://app.firebasestorage.app/generating/eve/source/a.png',
  ])('refuses %s, which is no upload of this user to this bucket', (url) => {
    expect(faultOf(url)).toBe(
      'a source of the same user, gs://app.firebasestorage.app/generating/ada/source/{name}',
    );
  });

  it('does not ask for the bucket where it is not told', () => {
    expect(faultOf('gs://another/generating/ada/source/a.png', { bucket: null })).toBeNull();
  });
});

it('both doors hold the addresses of a request against the places that they are told', () => {
  const { userId, ...places } = rules;
  const image_url = 'gs://another/generating/ada/source/a.png';
  const [submitted, delivered] = [
    parseSubmission({ prompt: 'a', image_url }, rules),
    parseJobInput({ prompt: 'a', image_url, user_id: userId }, places),
  ];
  for (const checked of [submitted, delivered]) {
    expect(checked).toMatchObject({ ok: false, problems: [{ field: 'image_url' }] });
  }
  const local = { prompt: 'a', image_url: 'http://127.0.0.1:9199/a.png' };
  expect(parseSubmission(local, rules).ok).toBe(true);
  expect(parseSubmission(local, { userId }).ok).toBe(false);
});
