/** Where a person chooses a picture to start from, and says how much of it may change. */
import type { FirepodError } from '@firepod/client';
import { FileInput, NumberInput, SimpleGrid } from '@mantine/core';
import { type Draft, problemOf, sourceTypes, strengthRange } from './request-draft.ts';

interface SourcePickerProps {
  picture: File | null;
  choose: (picture: File | null) => void;
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  failure: FirepodError | undefined;
}

export function SourcePicker({ picture, choose, draft, set, failure }: SourcePickerProps) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
      <FileInput
        label="Start from a picture"
        description="PNG, JPEG or WebP, up to 20 MB"
        placeholder="none"
        accept={sourceTypes.join(',')}
        value={picture}
        onChange={choose}
        clearable
      />
      {picture !== null && (
        <NumberInput
          label="Change"
          description="From a little to 1, which keeps nothing"
          placeholder={String(strengthRange.fallback)}
          value={draft.strength}
          onChange={(strength) => set({ strength })}
          error={problemOf(failure, 'strength')}
          min={strengthRange.min}
          max={strengthRange.max}
          step={strengthRange.step}
          startValue={strengthRange.fallback}
          clampBehavior="none"
        />
      )}
    </SimpleGrid>
  );
}
