/** The fields of a request besides its prompt; what stays empty is the model's default, which they show. */
import type { FirepodError } from '@firepod/client';
import { type ModelCard, SCHEDULERS } from '@firepod/contract';
import { NumberInput, Select, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { type Draft, type NumberField, type NumberRange, problemOf, rangesOf } from './request-draft.ts';

interface SettingsFieldsProps {
  card: ModelCard | undefined;
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  failure: FirepodError | undefined;
}

export function SettingsFields({ card, draft, set, failure }: SettingsFieldsProps) {
  const ranges = rangesOf(card);
  const schedulers = card === undefined || card.schedulers.length === 0 ? SCHEDULERS : card.schedulers;
  const numberField = (name: NumberField, label: string, hint: string) => {
    const { min, max, step, fallback } = ranges[name];
    return (
      <NumberInput
        label={label}
        description={hint}
        placeholder={fallback === undefined ? 'by the model' : String(fallback)}
        value={draft[name]}
        onChange={(value) => set({ [name]: value })}
        error={problemOf(failure, name)}
        min={min}
        max={max}
        step={step}
        startValue={fallback ?? min}
        allowDecimal={name === 'guidance_scale'}
        // What is out of range stays as typed and is refused with its reason; silently changed it would surprise.
        clampBehavior="none"
      />
    );
  };

  return (
    <Stack gap="sm" pb="xs">
      <TextInput
        label="Leave out"
        description="What the picture should not show"
        value={draft.negative_prompt}
        onChange={(event) => set({ negative_prompt: event.currentTarget.value })}
        error={problemOf(failure, 'negative_prompt')}
      />
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
        {numberField('width', 'Width (px)', describeSize(ranges.width))}
        {numberField('height', 'Height (px)', describeSize(ranges.height))}
        {numberField('num_images', 'Pictures', `1 to ${ranges.num_images.max} at a time`)}
        {numberField(
          'num_inference_steps',
          'Steps',
          `1 to ${ranges.num_inference_steps.max}; more take longer`,
        )}
        {numberField('guidance_scale', 'Guidance', 'How true to the words')}
        <NumberInput
          label="Seed"
          description="Same seed, same picture"
          placeholder="random"
          value={draft.seed}
          onChange={(seed) => set({ seed })}
          error={problemOf(failure, 'seed')}
          min={ranges.seed.min}
          max={ranges.seed.max}
          allowDecimal={false}
          clampBehavior="none"
          hideControls
        />
        <Select
          label="Scheduler"
          description="How steps are taken"
          placeholder={card?.defaults.scheduler ?? 'by the model'}
          data={[...schedulers]}
          value={draft.scheduler}
          onChange={(scheduler) => set({ scheduler })}
          clearable
          error={problemOf(failure, 'scheduler')}
        />
      </SimpleGrid>
    </Stack>
  );
}

function describeSize({ min, max, step }: NumberRange): string {
  return `${min} to ${max}, by ${step}`;
}
