/** Where a person says what to paint: the prompt, and the fields of a request behind "Settings". */

import { FirepodError } from '@firepod/client';
import type { ModelCard } from '@firepod/contract';
import {
  Alert,
  Button,
  Collapse,
  Group,
  NumberInput,
  Paper,
  Select,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';

/** The fields as the form holds them; an empty one is left to the model's default. */
interface Draft {
  prompt: string;
  negative_prompt: string;
  width: number | '';
  height: number | '';
  num_images: number | '';
  num_inference_steps: number | '';
  guidance_scale: number | '';
  seed: number | '';
  scheduler: string | null;
}

const emptyDraft: Draft = {
  prompt: '',
  negative_prompt: '',
  width: '',
  height: '',
  num_images: '',
  num_inference_steps: '',
  guidance_scale: '',
  seed: '',
  scheduler: null,
};

interface PromptFormProps {
  card: ModelCard | undefined;
  submit: (request: Record<string, unknown> & { prompt: string }) => Promise<unknown>;
}

export function PromptForm({ card, submit }: PromptFormProps) {
  const [draft, setDraft] = useState(emptyDraft);
  const [isOpen, setIsOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<FirepodError>();

  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(undefined);
    try {
      await submit(requestOf(draft));
    } catch (error) {
      if (!(error instanceof FirepodError)) throw error;
      setFailure(error);
      // A field behind "Settings" that was refused has to be seen.
      if (error.problems.some(({ field }) => field !== 'prompt')) setIsOpen(true);
    } finally {
      setBusy(false);
    }
  };

  const numberField = (name: NumberField, label: string, fallback?: number | string) => (
    <NumberInput
      label={label}
      placeholder={fallback === undefined ? '' : String(fallback)}
      value={draft[name]}
      onChange={(value) => set({ [name]: typeof value === 'number' ? value : '' })}
      error={problemOf(failure, name)}
      allowDecimal={name === 'guidance_scale'}
      min={0}
    />
  );
  const defaults = card?.defaults;

  return (
    <Paper withBorder p="md" component="form" onSubmit={send} aria-label="New picture">
      <Stack gap="sm">
        <Textarea
          label="What shall it be?"
          placeholder={examples(card)[0] ?? 'a red apple on a blue background'}
          autosize
          minRows={2}
          maxRows={6}
          value={draft.prompt}
          onChange={(event) => set({ prompt: event.currentTarget.value })}
          error={problemOf(failure, 'prompt')}
        />
        <Group gap="xs">
          {examples(card).map((example) => (
            <Button
              key={example}
              size="compact-xs"
              variant="light"
              radius="xl"
              onClick={() => set({ prompt: example })}
            >
              {example}
            </Button>
          ))}
        </Group>
        <Collapse in={isOpen}>
          <Stack gap="sm">
            <TextInput
              label="What shall it not be?"
              value={draft.negative_prompt}
              onChange={(event) => set({ negative_prompt: event.currentTarget.value })}
              error={problemOf(failure, 'negative_prompt')}
            />
            <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
              {numberField('width', 'Width (px)', defaults?.width)}
              {numberField('height', 'Height (px)', defaults?.height)}
              {numberField('num_images', 'Images', 1)}
              {numberField('num_inference_steps', 'Steps', defaults?.num_inference_steps)}
              {numberField('guidance_scale', 'Guidance', defaults?.guidance_scale)}
              {numberField('seed', 'Seed', 'any')}
              <Select
                label="Scheduler"
                placeholder={defaults?.scheduler ?? ''}
                data={card === undefined ? [] : [...card.schedulers]}
                value={draft.scheduler}
                onChange={(scheduler) => set({ scheduler })}
                clearable
                error={problemOf(failure, 'scheduler')}
              />
            </SimpleGrid>
          </Stack>
        </Collapse>
        {failure !== undefined && !isShownInFields(failure) && (
          <Alert color="red" role="alert">
            {failure.message}
          </Alert>
        )}
        <Group justify="space-between">
          <Button variant="subtle" onClick={() => setIsOpen(!isOpen)} aria-expanded={isOpen}>
            Settings
          </Button>
          <Button type="submit" loading={busy} disabled={draft.prompt.trim() === ''}>
            Generate
          </Button>
        </Group>
        {card !== undefined && (
          <Text size="xs" c="dimmed">
            {card.name}, {card.native_size.width}×{card.native_size.height} px
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

type NumberField = 'width' | 'height' | 'num_images' | 'num_inference_steps' | 'guidance_scale' | 'seed';

/** Only what the person filled in: the function keeps `request_data` as sent, and defaults are the model's. */
function requestOf(draft: Draft): Record<string, unknown> & { prompt: string } {
  const { prompt, ...rest } = draft;
  const filled = Object.entries(rest).filter(([, value]) => value !== '' && value !== null);
  return { prompt: prompt.trim(), ...Object.fromEntries(filled) };
}

/** What a field's problem says, without the field's name: it stands below the field. */
function problemOf(failure: FirepodError | undefined, field: keyof Draft): string | undefined {
  const message = failure?.problems.find((problem) => problem.field === field)?.message;
  return message?.replace(`${field}: `, '');
}

/** Whether every part of a refusal has a field of this form to stand below. */
function isShownInFields({ problems }: FirepodError): boolean {
  return problems.length > 0 && problems.every(({ field }) => field in emptyDraft);
}

/** A few prompts that the model can paint, from the words its card lists. */
function examples(card: ModelCard | undefined): string[] {
  const subjects = card?.vocabulary?.subjects ?? [];
  const backgrounds = card?.vocabulary?.backgrounds ?? [];
  if (subjects.length < 3 || backgrounds.length < 3) return [];
  const pick = (list: readonly string[], index: number) => list[(index * 7) % list.length];
  return [0, 1, 2].map(
    (index) => `${withArticle(pick(subjects, index + 1))} on a ${pick(backgrounds, index)} background`,
  );
}

function withArticle(noun = ''): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
