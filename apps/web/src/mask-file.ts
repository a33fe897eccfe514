/** Makes the picture that `mask_url` names from what was marked: white where it is painted again, black elsewhere. */
import { FirepodError } from '@firepod/client';
import { drawMarks, markedShare } from './mask-marks.ts';
import type { PictureMask } from './start-picture.ts';

/**
 * A PNG of exactly the size of the picture that it lies on, as the worker asks for.
 * @throws {FirepodError} `invalid_argument` where nothing is marked or the picture is too large for the browser
 */
export async function createMaskFile({ size, marks }: PictureMask): Promise<Blob> {
  if (size === null || marks.length === 0) throw nothingMarked();
  const canvas = Object.assign(document.createElement('canvas'), {
    width: size.widthPx,
    height: size.heightPx,
  });
  const context = canvas.getContext('2d');
  if (context === null) throw tooLarge();
  context.fillStyle = '#fff';
  context.strokeStyle = '#fff';
  drawMarks(context, marks);
  if (markedShare(canvas, context) === 0) throw nothingMarked();
  context.globalCompositeOperation = 'destination-over';
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (file === null) throw tooLarge();
  return file;
}

function nothingMarked(): FirepodError {
  const message =
    'Nothing is marked to be painted again. Mark a part of the picture, or let all of it change.';
  return new FirepodError('invalid_argument', message);
}

function tooLarge(): FirepodError {
  const message = 'The picture is too large to mark a part of it in this browser. Choose a smaller one.';
  return new FirepodError('invalid_argument', message);
}
