/** One number field of a request: empty it shows what the model takes then. */
import type { FirepodError } from '@firepod/client';
import { NumberInput } from '@mantine/core';
import { type Draft, type DraftField, problemOf } from './request-draft.ts';
import type { NumberRange } from './setting-ranges.ts';

/** What all fields of the form are drawn from. */
export interface DraftAccess {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  failure: FirepodError | undefined;
}

interface NumberSettingProps extends DraftAccess {
  field: DraftField;
  label: string;
  description: string;
  range: NumberRange;
  /** What stands in it where the model has no default to show. */
  placeholder?: string;
  hideControls?: boolean;
}

export function NumberSetting({
  field,
  range,
  placeholder,
  draft,
  set,
  failure,
  ...shown
}: NumberSettingProps) {
  const { min, max, step, fallback } = range;
  return (
    <NumberInput
      {...shown}
      placeholder={fallback === undefined ? (placeholder ?? 'by the model') : String(fallback)}
      value={draft[field] ?? ''}
      onChange={(value) => set({ [field]: value })}
      error={problemOf(failure, field)}
      min={min}
      max={max}
      step={step}
      startValue={fallback ?? min}
      allowDecimal={!Number.isInteger(step)}
      // What is out of range stays as typed and is refused with its reason; silently changed it would surprise.
      clampBehavior="none"
    />
  );
}
