/** Where a person chooses a picture to start from, says how much of it may change, and marks which part. */

import { OUTPUT_FORMATS } from '@firepod/contract';
import { CloseButton, FileInput, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { MaskEditor } from './mask-editor.tsx';
import type { PictureSize } from './mask-marks.ts';
import { type DraftAccess, NumberSetting } from './number-setting.tsx';
import { strengthRange } from './setting-ranges.ts';
import { emptyMask, pictureOfFile, type Start, type StartPicture } from './start-picture.ts';

/** What may be uploaded to start from. */
const fileTypes = OUTPUT_FORMATS.map((format) => `image/${format}`).join(',');

interface SourcePickerProps extends DraftAccess {
  start: Start;
  /** Whether a model paints a marked part of a picture again. */
  canMask: boolean;
}

export function SourcePicker({ start, ...rest }: SourcePickerProps) {
  const { picture } = start;
  if (picture === null) {
    return (
      <FileInput
        className="source-input"
        label="Start from a picture"
        description="PNG, JPEG or WebP, up to 20 MB"
        placeholder="Choose a file, or a result below"
        accept={fileTypes}
        value={null}
        onChange={(file) => file !== null && start.choose(pictureOfFile(file))}
      />
    );
  }
  // The key: what is known of one picture is not true of the next.
  return <ChosenPicture key={picture.url} {...rest} start={start} picture={picture} />;
}

function ChosenPicture({
  start,
  picture,
  canMask,
  ...access
}: SourcePickerProps & { picture: StartPicture }) {
  const [size, setSize] = useState<PictureSize>();
  const [isBroken, setIsBroken] = useState(false);
  const { mask } = start;
  return (
    <Stack gap="sm" className="source" role="group" aria-label="The picture to start from">
      <Group gap="sm" wrap="nowrap" align="center">
        <img
          className="source-thumbnail"
          src={picture.url}
          alt=""
          onLoad={({ currentTarget: { naturalWidth: widthPx, naturalHeight: heightPx } }) =>
            setSize({ widthPx, heightPx })
          }
          onError={() => setIsBroken(true)}
        />
        <div className="source-name">
          <Text size="sm" fw={500} truncate>
            {picture.name}
          </Text>
          <Text size="xs" c={isBroken ? 'red' : 'dimmed'} role={isBroken ? 'alert' : undefined}>
            {isBroken ? 'This picture cannot be shown. Choose another one.' : sizeWords(size)}
          </Text>
        </div>
        <CloseButton
          size="lg"
          aria-label="Start without this picture"
          title="Start without this picture"
          onClick={() => start.choose(null)}
        />
      </Group>
      {canMask && (
        <SegmentedControl
          className="source-part"
          aria-label="How much is painted again"
          value={mask === null ? 'whole' : 'part'}
          onChange={(value) => start.setMask(value === 'part' ? emptyMask : null)}
          data={[
            { value: 'whole', label: 'The whole picture' },
            { value: 'part', label: 'Only a part of it' },
          ]}
        />
      )}
      {mask !== null && size !== undefined && (
        <MaskEditor url={picture.url} size={size} mask={mask} setMask={start.setMask} />
      )}
      <div className="source-strength">
        <NumberSetting
          {...access}
          field="strength"
          label="Change"
          description="From a little to 1, which keeps nothing of it"
          range={strengthRange(mask !== null)}
        />
      </div>
    </Stack>
  );
}

function sizeWords(size: PictureSize | undefined): string {
  return size === undefined ? 'Loading' : `${size.widthPx} × ${size.heightPx}`;
}
