/** The fields of a request besides its prompt; what stays empty is the model's default, which they show. */
import type { MediaType } from '@firepod/client';
import { type ModelCard, SCHEDULERS } from '@firepod/contract';
import { Select, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { type DraftAccess, NumberSetting } from './number-setting.tsx';
import { problemOf } from './request-draft.ts';
import { durationSeconds, type NumberField, type NumberRange, rangesOf } from './setting-ranges.ts';

interface SettingsFieldsProps extends DraftAccess {
  media: MediaType;
  card: ModelCard | undefined;
}

export function SettingsFields({ media, card, ...access }: SettingsFieldsProps) {
  const { draft, set, failure } = access;
  return (
    <Stack gap="sm" pb="xs">
      <TextInput
        label="Leave out"
        description={`What the ${media === 'video' ? 'video' : 'picture'} should not show`}
        value={draft.negative_prompt}
        onChange={(event) => set({ negative_prompt: event.currentTarget.value })}
        error={problemOf(failure, 'negative_prompt')}
      />
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
        {media === 'video' ? (
          <VideoFields card={card} {...access} />
        ) : (
          <PictureFields card={card} {...access} />
        )}
      </SimpleGrid>
    </Stack>
  );
}

type FieldsProps = Omit<SettingsFieldsProps, 'media'>;

function PictureFields({ card, ...access }: FieldsProps) {
  const ranges = rangesOf(card);
  const field = (name: NumberField) => ({ ...access, field: name, range: ranges[name] });
  const schedulers = card === undefined || card.schedulers.length === 0 ? SCHEDULERS : card.schedulers;
  return (
    <>
      <NumberSetting {...field('width')} label="Width (px)" description={sizeWords(ranges.width)} />
      <NumberSetting {...field('height')} label="Height (px)" description={sizeWords(ranges.height)} />
      <NumberSetting
        {...field('num_images')}
        label="Pictures"
        description={`1 to ${ranges.num_images.max} at a time`}
      />
      <StepsField {...field('num_inference_steps')} />
      <NumberSetting {...field('guidance_scale')} label="Guidance" description="How true to the words" />
      <SeedField {...field('seed')} media="picture" />
      <Select
        label="Scheduler"
        description="How steps are taken"
        placeholder={card?.defaults.scheduler ?? 'by the model'}
        data={[...schedulers]}
        value={access.draft.scheduler}
        onChange={(scheduler) => access.set({ scheduler })}
        clearable
        error={problemOf(access.failure, 'scheduler')}
      />
    </>
  );
}

function VideoFields({ card, ...access }: FieldsProps) {
  const ranges = rangesOf(card);
  const field = (name: NumberField) => ({ ...access, field: name, range: ranges[name] });
  const seconds = durationSeconds(card, access.draft.num_frames, access.draft.fps);
  const frames = ranges.num_frames;
  return (
    <>
      <NumberSetting
        {...field('num_frames')}
        label="Frames"
        description={`${frames.min} to ${frames.max}, by ${frames.step}`}
      />
      <NumberSetting
        {...field('fps')}
        label="Frames a second"
        description={seconds === undefined ? 'How fast it plays' : `Makes ${seconds.toFixed(1)} s`}
      />
      <NumberSetting
        {...field('video_width')}
        label="Width (px)"
        description={sizeWords(ranges.video_width)}
      />
      <NumberSetting
        {...field('video_height')}
        label="Height (px)"
        description={sizeWords(ranges.video_height)}
      />
      <StepsField {...field('num_inference_steps')} />
      <NumberSetting
        {...field('video_guidance_scale')}
        label="Guidance"
        description="How true to the words"
      />
      <SeedField {...field('seed')} media="video" />
    </>
  );
}

type FieldProps = DraftAccess & { field: NumberField; range: NumberRange };

function StepsField(props: FieldProps) {
  return <NumberSetting {...props} label="Steps" description={`1 to ${props.range.max}; more take longer`} />;
}

function SeedField({ media, ...props }: FieldProps & { media: string }) {
  return (
    <NumberSetting
      {...props}
      label="Seed"
      description={`Same seed, same ${media}`}
      placeholder="random"
      hideControls
    />
  );
}

function sizeWords({ min, max, step }: NumberRange): string {
  return `${min} to ${max}, by ${step}`;
}
