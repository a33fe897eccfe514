/** Areas to mark without a pointer: ready-made ones, and a rectangle by its numbers. */
import { Button, Group, NumberInput, SimpleGrid, Text } from '@mantine/core';
import { useState } from 'react';
import { type Area, areaOf, clampArea, namedAreas, type PictureSize } from './mask-marks.ts';

interface MaskAreasProps {
  size: PictureSize;
  /** What happens to an area: "Mark" or "Erase". */
  verb: string;
  add: (area: Area) => void;
}

export function MaskAreas({ size, verb, add }: MaskAreasProps) {
  const { widthPx, heightPx } = size;
  const [rectangle, setRectangle] = useState<Record<keyof Area, number | string>>(() => ({
    left: Math.round(widthPx / 4),
    top: Math.round(heightPx / 4),
    width: Math.round(widthPx / 2),
    height: Math.round(heightPx / 2),
  }));
  const { left, top, width, height } = rectangle;
  const area = clampArea(
    { left: Number(left), top: Number(top), width: Number(width), height: Number(height) },
    size,
  );
  const side = (name: keyof Area, label: string, max: number) => (
    <NumberInput
      label={label}
      value={rectangle[name]}
      onChange={(value) => setRectangle((before) => ({ ...before, [name]: value }))}
      min={0}
      max={max}
      allowDecimal={false}
      allowNegative={false}
    />
  );
  return (
    <div>
      <Text className="field-label" aria-hidden>
        {verb} an area
      </Text>
      <Group gap={6} role="group" aria-label={`${verb} an area`}>
        {namedAreas.map((name) => (
          <Button key={name} size="compact-sm" variant="default" onClick={() => add(areaOf(name, size))}>
            {name}
          </Button>
        ))}
      </Group>
      <details className="mask-rectangle">
        <summary>A rectangle by numbers</summary>
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs">
          {side('left', 'From left (px)', widthPx)}
          {side('top', 'From top (px)', heightPx)}
          {side('width', 'Wide (px)', widthPx)}
          {side('height', 'High (px)', heightPx)}
        </SimpleGrid>
        <Button
          mt="xs"
          size="compact-sm"
          variant="default"
          disabled={area === null}
          onClick={() => area && add(area)}
        >
          {verb} the rectangle
        </Button>
      </details>
    </div>
  );
}
