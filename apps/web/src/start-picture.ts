/** The picture that a person starts from, and the part of it that is to be painted again. */
import { useMemo, useState } from 'react';
import type { Mark, PictureSize } from './mask-marks.ts';

/** A file of the person, or a result that lies in Storage already. */
export interface StartPicture {
  readonly name: string;
  /** Where a page finds it. */
  readonly url: string;
  /** Null for a result: its address is all that a worker needs. */
  readonly file: File | null;
}

/** The part to paint again, as it was marked. */
export interface PictureMask {
  /** Of the picture that it lies on, as it is seen; null until that has been loaded. */
  readonly size: PictureSize | null;
  readonly marks: readonly Mark[];
}

/** No part is marked yet. */
export const emptyMask: PictureMask = { size: null, marks: [] };

/** What is started from, and the ways to change it. */
export interface Start {
  readonly picture: StartPicture | null;
  /** Null where the whole picture may change. */
  readonly mask: PictureMask | null;
  /** Another picture, or none; what was marked on the last one goes. */
  choose(picture: StartPicture | null): void;
  setMask(mask: PictureMask | null): void;
}

/** A picture from a file input. Its address is given up when another one is chosen. */
export function pictureOfFile(file: File): StartPicture {
  return { name: file.name, url: URL.createObjectURL(file), file };
}

/** Holds what the form starts from where the list of results can change it too. */
export function useStart(): Start {
  const [{ picture, mask }, setStart] = useState<Pick<Start, 'picture' | 'mask'>>({
    picture: null,
    mask: null,
  });
  return useMemo(
    () => ({
      picture,
      mask,
      choose(next) {
        if (picture?.file) URL.revokeObjectURL(picture.url);
        setStart({ picture: next, mask: null });
      },
      setMask: (next) => setStart((before) => ({ ...before, mask: next })),
    }),
    [picture, mask],
  );
}
