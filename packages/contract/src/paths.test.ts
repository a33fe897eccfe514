import { describe, expect, it } from 'vitest';
import {
  generationPath,
  generationReference,
  imageObjectName,
  isFileUid,
  isRequestId,
  isSourceOf,
  isUserId,
  jobRecordPath,
  markPath,
  parseGenerationPath,
  parseStorageUrl,
  requestRecordPath,
  thumbnailObjectName,
  tombstonePath,
  videoObjectName,
} from './paths.ts';

describe('paths', () => {
  it('are those of the design', () => {
    expect(generationPath('ada', 'image', 'f-1')).toBe('generations/ada/images/f-1');
    expect(generationPath('ada', 'video', 'f-1')).toBe('generations/ada/videos/f-1');
    expect(markPath('ada', 'f-1')).toBe('generations/ada/marks/f-1');
    expect(jobRecordPath('f-1')).toBe('firepod_jobs/f-1');
    expect(requestRecordPath('ada', 'abcd-1234')).toBe('firepod_requests/ada_abcd-1234');
    expect(tombstonePath('f-1')).toBe('firepod_deleted/f-1');
  });

  it('name the first image after the generation and number the others', () => {
    expect(imageObjectName('ada', 'f-1', 0, 'png')).toBe('generating/ada/image/f-1.png');
    expect(imageObjectName('ada', 'f-1', 1, 'jpeg')).toBe('generating/ada/image/f-1_1.jpg');
    expect(imageObjectName('ada', 'f-1', 2, 'webp')).toBe('generating/ada/image/f-1_2.webp');
    expect(videoObjectName('ada', 'f-1')).toBe('generating/ada/video/f-1.mp4');
    expect(thumbnailObjectName('ada', 'f-1', 1)).toBe('generating/ada/thumbnail/f-1_1.webp');
  });

  it('of generations are read back, and no others', () => {
    const parts = { userId: 'ada', mediaType: 'video', fileUid: 'f-1' } as const;
    const path = generationPath('ada', 'video', 'f-1');
    expect(parseGenerationPath(path)).toEqual(parts);
    expect(generationReference(path)).toEqual({
      file_uid: 'f-1',
      user_id: 'ada',
      media_type: 'video',
      path: 'generations/ada/videos/f-1',
    });
    for (const path of [
      '',
      'generations/ada/marks/f-1',
      'generations/ada/images',
      'generations/ada/images/a/b/c',
    ]) {
      expect(parseGenerationPath(path)).toBeNull();
      expect(generationReference(path)).toBeNull();
    }
  });
});

describe('ids', () => {
  it.each(['a', 'x'.repeat(128), 'ada@example.com', '_a_', '...'])('%j is a user id', (id) => {
    expect(isUserId(id)).toBe(true);
  });
  it.each(['', 'x'.repeat(129), 'a/b', '.', '..', '__x__', 'a\nb', 7, null])('%j is no user id', (id) => {
    expect(isUserId(id)).toBe(false);
  });
  it('of files have no underscore, because a_1 is the second image of a', () => {
    expect(isFileUid('0d9cb9a4-5f0e-4f5c-9d53-6d0e1d3a7a52')).toBe(true);
    for (const id of ['', 'a_1', 'a.b', 'a\n', 'x'.repeat(129), null]) expect(isFileUid(id)).toBe(false);
  });
  it('of requests have 8 to 64 letters', () => {
    expect(isRequestId('abcd_1-4')).toBe(true);
    for (const id of ['abcd123', 'x'.repeat(65), 'abcd 1234']) expect(isRequestId(id)).toBe(false);
  });
});

describe('sources', () => {
  it("lie directly in the user's own folder", () => {
    expect(parseStorageUrl('gs://b/generating/ada/source/x.png')).toEqual({
      bucket: 'b',
      name: 'generating/ada/source/x.png',
    });
    expect(parseStorageUrl('https://b/x')).toBeNull();
    expect(isSourceOf('ada', 'generating/ada/source/x.png')).toBe(true);
    for (const name of [
      'x.png',
      'generating/ada/source/',
      'generating/ada/source/..',
      'generating/ada/source/a/b',
    ]) {
      expect(isSourceOf('ada', name)).toBe(false);
    }
    expect(isSourceOf('eve', 'generating/ada/source/x.png')).toBe(false);
  });
});
