/** The picture with the marks over it, painted on with a mouse, a pen or a finger. */
import { type PointerEvent, useEffect, useRef } from 'react';
import { drawMarks, fitWithin, type Mark, markedShare, type PictureSize, type Point } from './mask-marks.ts';

/** Enough for a screen; the file that is sent is drawn anew at the picture's own size. */
const longestPx = 768;

interface MaskCanvasProps {
  url: string;
  size: PictureSize;
  marks: readonly Mark[];
  isErasing: boolean;
  /** Of the brush, in pixels of the picture. */
  radius: number;
  /** In words, what is marked. */
  label: string;
  add: (mark: Mark) => void;
  /** Told after each change how much of the picture is marked, from 0 to 1. */
  onShare: (share: number) => void;
}

export function MaskCanvas({ url, size, marks, isErasing, radius, label, add, onShare }: MaskCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const brush = useRef<HTMLDivElement>(null);
  // Drawn point by point while the pointer is down, and only then told to React.
  const points = useRef<Point[] | null>(null);
  const shown = fitWithin(size, longestPx);
  const ratio = size.widthPx / size.heightPx;
  const redraw = () => {
    const context = contextOf(canvas.current, size);
    if (canvas.current === null || context === null) return;
    context.clearRect(0, 0, size.widthPx, size.heightPx);
    drawMarks(context, marks);
    onShare(markedShare(canvas.current, context));
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the others are made anew at each drawing
  useEffect(redraw, [marks, size]);

  const pointAt = ({ clientX, clientY }: { clientX: number; clientY: number }): Point => {
    const box = canvas.current!.getBoundingClientRect();
    return {
      x: ((clientX - box.left) / box.width) * size.widthPx,
      y: ((clientY - box.top) / box.height) * size.heightPx,
    };
  };
  const extend = (next: readonly Point[]) => {
    const context = contextOf(canvas.current, size);
    const last = points.current?.at(-1);
    points.current?.push(...next);
    const stroke = last === undefined ? next : [last, ...next];
    if (context !== null) drawMarks(context, [{ shape: 'stroke', isErasing, radius, points: stroke }]);
  };

  const begin = (event: PointerEvent<HTMLCanvasElement>) => {
    // A second finger does not paint, nor does the button that opens a menu.
    if (points.current !== null || !event.isPrimary || event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    points.current = [];
    extend([pointAt(event)]);
  };
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    placeBrush(event);
    if (points.current === null || !event.isPrimary) return;
    const between = event.nativeEvent.getCoalescedEvents?.() ?? [];
    extend((between.length > 0 ? between : [event]).map(pointAt));
  };
  const end = (event: PointerEvent<HTMLCanvasElement>) => {
    if (points.current === null || !event.isPrimary) return;
    const drawn = points.current;
    points.current = null;
    add({ shape: 'stroke', isErasing, radius, points: drawn });
  };
  /** The system has taken the pointer for something else. */
  const abandon = () => {
    points.current = null;
    redraw();
  };

  /** A ring of the brush's size goes with a mouse; a finger hides it and needs none. */
  const placeBrush = (event: PointerEvent<HTMLCanvasElement>) => {
    if (brush.current === null) return;
    const { x, y } = pointAt(event);
    Object.assign(brush.current.style, {
      display: event.pointerType === 'touch' ? 'none' : 'block',
      left: `${(x / size.widthPx) * 100}%`,
      top: `${(y / size.heightPx) * 100}%`,
    });
  };

  return (
    // As wide as there is room for, but never so high that neither its ends nor its tools can be seen.
    <div className="mask-canvas" style={{ aspectRatio: ratio, maxWidth: `calc(60vh * ${ratio})` }}>
      <img src={url} alt="" draggable={false} />
      <canvas
        ref={canvas}
        width={shown.widthPx}
        height={shown.heightPx}
        role="img"
        aria-label={label}
        onPointerDown={begin}
        onPointerMove={move}
        onPointerUp={end}
        onPointerCancel={abandon}
        onPointerLeave={() => {
          if (brush.current !== null) brush.current.style.display = 'none';
        }}
      />
      <div
        ref={brush}
        className="mask-brush"
        style={{ width: `${((radius * 2) / size.widthPx) * 100}%` }}
        aria-hidden
      />
    </div>
  );
}

/** Takes pixels of the picture, whatever the canvas has; null where the browser gives none. */
function contextOf(canvas: HTMLCanvasElement | null, { widthPx, heightPx }: PictureSize) {
  const context = canvas?.getContext('2d', { willReadFrequently: true }) ?? null;
  if (canvas === null || context === null) return null;
  context.setTransform(canvas.width / widthPx, 0, 0, canvas.height / heightPx, 0, 0);
  // The page makes it half transparent; erasing needs it to be whole here.
  context.fillStyle = '#d6336c';
  context.strokeStyle = '#d6336c';
  return context;
}
