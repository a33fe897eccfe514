/** Where a person marks the part of a picture that is painted again: by brush, or by areas that need no pointer. */
import { Button, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useId, useState } from 'react';
import { MaskAreas } from './mask-areas.tsx';
import { MaskCanvas } from './mask-canvas.tsx';
import type { Area, Mark, PictureSize } from './mask-marks.ts';
import type { PictureMask } from './start-picture.ts';

/** Of the brush, in hundredths of the picture's shorter side. */
const brush = { min: 2, max: 50, first: 16 };

interface MaskEditorProps {
  url: string;
  size: PictureSize;
  mask: PictureMask;
  setMask: (mask: PictureMask) => void;
}

export function MaskEditor({ url, size, mask, setMask }: MaskEditorProps) {
  const [isErasing, setIsErasing] = useState(false);
  const [brushPercent, setBrushPercent] = useState(brush.first);
  const [share, setShare] = useState(0);
  const sliderId = useId();
  const { marks } = mask;
  const setMarks = (next: readonly Mark[]) => setMask({ size, marks: next });
  const add = (mark: Mark) => setMarks([...marks, mark]);
  const addArea = (area: Area) => add({ shape: 'rectangle', isErasing, ...area });
  const clear = () =>
    add({
      shape: 'rectangle',
      isErasing: true,
      left: 0,
      top: 0,
      width: size.widthPx,
      height: size.heightPx,
    });

  const words = share === 0 ? 'Nothing is marked yet' : `${percentWords(share)} will be painted again`;
  return (
    <div className="mask-editor">
      <div className="mask-layout">
        <MaskCanvas
          url={url}
          size={size}
          marks={marks}
          isErasing={isErasing}
          radius={(Math.min(size.widthPx, size.heightPx) * brushPercent) / 200}
          label={`The picture to mark on. ${words}.`}
          add={add}
          onShare={setShare}
        />
        <Stack gap="sm">
          <Text size="sm" role="status" className="mask-share">
            {words}
          </Text>
          <Group gap="xs">
            <SegmentedControl
              aria-label="What the brush does"
              value={isErasing ? 'erase' : 'mark'}
              onChange={(value) => setIsErasing(value === 'erase')}
              data={[
                { value: 'mark', label: 'Mark' },
                { value: 'erase', label: 'Erase' },
              ]}
            />
            <Button
              variant="default"
              disabled={marks.length === 0}
              onClick={() => setMarks(marks.slice(0, -1))}
            >
              Undo
            </Button>
            <Button variant="default" disabled={share === 0} onClick={clear}>
              Clear
            </Button>
          </Group>
          <div>
            <label htmlFor={sliderId} className="field-label">
              Brush size
            </label>
            <input
              id={sliderId}
              type="range"
              className="brush-size"
              min={brush.min}
              max={brush.max}
              value={brushPercent}
              aria-valuetext={`${brushPercent} % of the shorter side`}
              onChange={(event) => setBrushPercent(event.currentTarget.valueAsNumber)}
            />
          </div>
          <MaskAreas size={size} verb={isErasing ? 'Erase' : 'Mark'} add={addArea} />
        </Stack>
      </div>
    </div>
  );
}

function percentWords(share: number): string {
  const percent = Math.round(share * 100);
  return percent === 0 ? 'Less than 1 %' : `${percent} %`;
}
