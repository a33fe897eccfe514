import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, startTestFirebase, type TestFirebase } from '../../testing/firebase.ts';
import { createSourceReader, type SourceReader } from './source-reader.ts';

const BYTES = Buffer.from('picture');
const request = { userId: 'ada', signal: new AbortController().signal };

let firebase: TestFirebase;
let reader: SourceReader;
beforeAll(async () => {
  firebase = await startTestFirebase();
  const { bucket, storageHost: storageEmulatorHost } = firebase;
  reader = createSourceReader({ bucket, storageEmulatorHost, maxBytes: 20 });
  await bucket.file('generating/ada/source/a b.png').save(BYTES, { resumable: false });
  await bucket.file('generating/ada/source/large.png').save(Buffer.alloc(21), { resumable: false });
  await bucket
    .file('generating/ada/image/x.png')
    .save(BYTES, { resumable: false, predefinedAcl: 'publicRead' });
});
afterAll(() => firebase.close());

const urlOf = (name: string) => `gs://${BUCKET}/generating/ada/source/${name}`;

describe('a source', () => {
  it('is an upload of the user, a public address or a data URL', async () => {
    expect(await reader.read('image_url', urlOf('a b.png'), request)).toEqual(BYTES);
    const result = firebase.bucket.file('generating/ada/image/x.png').publicUrl();
    expect(await reader.read('image_url', result, request)).toEqual(BYTES);
    const dataUrl = `data:image/png;base64,${BYTES.toString('base64')}`;
    expect(await reader.read('image_url', dataUrl, request)).toEqual(BYTES);
  });

  it.each([
    [urlOf('gone.png'), 'source_not_available', /^image_url: there is no such file/],
    [urlOf('large.png'), 'invalid_argument', /^image_url: the file is larger than 20 bytes/],
    [
      `data:image/png;base64,${'A'.repeat(40)}`,
      'invalid_argument',
      /^image_url: the file is larger than 20 bytes/,
    ],
    ['gs://other/generating/ada/source/a b.png', 'invalid_argument', /^image_url: .*bucket/],
    [
      `gs://${BUCKET}/generating/eve/source/a.png`,
      'invalid_argument',
      /^image_url: .*not among the sources of this user/,
    ],
    [
      `gs://${BUCKET}/generating/ada/image/x.png`,
      'invalid_argument',
      /^image_url: .*not among the sources of this user/,
    ],
    ['https://127.0.0.1/?token=secret', 'invalid_argument', /^image_url: .*not public/],
    ['http://169.254.169.254/latest', 'invalid_argument', /^image_url: .*expected https/],
  ])('is not %s', async (url, code, message) => {
    const error = await reader.read('image_url', url, request).catch((thrown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.message).not.toContain('secret');
  });

  it('of a worker without Firebase is no upload', async () => {
    const alone = createSourceReader({ bucket: null });
    await expect(alone.read('mask_url', urlOf('a b.png'), request)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^mask_url: .*expected an https address or a data URL/),
    });
  });

  it('is not read for nobody, and not any more when the job was stopped', async () => {
    await expect(
      reader.read('image_url', urlOf('a b.png'), { ...request, userId: null }),
    ).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(reader.read('image_url', urlOf('a b.png'), { ...request, signal })).rejects.toThrow('stop');
  });
});
