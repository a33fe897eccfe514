/** What a person has marked on a picture: strokes of a brush and rectangles, in the order in which they were made. */

/** Width and height in pixels. */
export interface PictureSize {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** In pixels of the picture, from its top left corner. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle in pixels of the picture. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** One mark adds to the part that is painted again, or takes from it. */
export type Mark = { readonly isErasing: boolean } & (
  | { readonly shape: 'stroke'; readonly radius: number; readonly points: readonly Point[] }
  | ({ readonly shape: 'rectangle' } & Area)
);

/** Ready-made areas, for those who have no pointer and those who need no more. */
export const namedAreas = ['Everything', 'Left half', 'Right half', 'Top half', 'Bottom half'] as const;
/** One of them. */
export type NamedArea = (typeof namedAreas)[number];

/** A ready-made area of a picture of this size; the halves of an odd one meet at a whole pixel. */
export function areaOf(name: NamedArea, { widthPx, heightPx }: PictureSize): Area {
  const [column, row] = [Math.round(widthPx / 2), Math.round(heightPx / 2)];
  const all = { left: 0, top: 0, width: widthPx, height: heightPx };
  switch (name) {
    case 'Everything':
      return all;
    case 'Left half':
      return { ...all, width: column };
    case 'Right half':
      return { ...all, left: column, width: widthPx - column };
    case 'Top half':
      return { ...all, height: row };
    case 'Bottom half':
      return { ...all, top: row, height: heightPx - row };
  }
}

/** The part of an area that lies on the picture; null where none does. */
export function clampArea(area: Area, { widthPx, heightPx }: PictureSize): Area | null {
  const left = Math.max(0, area.left);
  const top = Math.max(0, area.top);
  const width = Math.min(widthPx, area.left + area.width) - left;
  const height = Math.min(heightPx, area.top + area.height) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : null;
}

/** The size at which a picture is drawn on: its own, or smaller with the longer side at `longestPx`. */
export function fitWithin({ widthPx, heightPx }: PictureSize, longestPx: number): PictureSize {
  const scale = Math.min(1, longestPx / Math.max(widthPx, heightPx));
  return {
    widthPx: Math.max(1, Math.round(widthPx * scale)),
    heightPx: Math.max(1, Math.round(heightPx * scale)),
  };
}

/** Draws marks in the context's colour on what is transparent; erased parts become transparent again. */
export function drawMarks(context: CanvasRenderingContext2D, marks: readonly Mark[]): void {
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const mark of marks) {
    context.globalCompositeOperation = mark.isErasing ? 'destination-out' : 'source-over';
    if (mark.shape === 'rectangle') {
      context.fillRect(mark.left, mark.top, mark.width, mark.height);
      continue;
    }
    const [first, ...others] = mark.points;
    if (first === undefined) continue;
    context.lineWidth = mark.radius * 2;
    context.beginPath();
    context.moveTo(first.x, first.y);
    // A line of no length is the round cap alone: a dot.
    for (const { x, y } of others.length === 0 ? [first] : others) context.lineTo(x, y);
    context.stroke();
  }
  context.globalCompositeOperation = 'source-over';
}

/** How much of a canvas is marked, from 0 to 1. */
export function markedShare({ width, height }: HTMLCanvasElement, context: CanvasRenderingContext2D): number {
  let marked = 0;
  // By rows, so that a large picture is never held a second time.
  for (let row = 0; row < height; row += 256) {
    const { data } = context.getImageData(0, row, width, Math.min(256, height - row));
    for (let alpha = 3; alpha < data.length; alpha += 4) if (data[alpha]! >= 128) marked += 1;
  }
  return marked / (width * height);
}
