/** Where a person says what to paint: the prompt, and the other fields of a request behind "Settings". */

import { FirepodError, type GenerationRequest } from '@firepod/client';
import type { ModelCard } from '@firepod/contract';
import { Alert, Button, Collapse, Group, Kbd, Paper, Stack, Text, Textarea } from '@mantine/core';
import { type FormEvent, type KeyboardEvent, useId, useRef, useState } from 'react';
import { ModelNote } from './model-note.tsx';
import { promptExamples } from './prompt-examples.ts';
import {
  countSettings,
  type Draft,
  emptyDraft,
  isAlwaysShown,
  isShownInFields,
  problemOf,
  requestOf,
} from './request-draft.ts';
import { type RequestMemory, submitOnce } from './request-id.ts';
import { SettingsFields } from './settings-fields.tsx';
import { SourcePicker } from './source-picker.tsx';

interface PromptFormProps {
  card: ModelCard | undefined;
  submit: (request: GenerationRequest, options: { requestId: string }) => Promise<unknown>;
  /** Resolves with the address of a picture to start from. */
  uploadSource: (picture: Blob) => Promise<string>;
}

export function PromptForm({ card, submit, uploadSource }: PromptFormProps) {
  const [draft, setDraft] = useState(emptyDraft);
  const [picture, setPicture] = useState<File | null>(null);
  const [isOpen, setIsOpen] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState<FirepodError>();
  // The state above is drawn later: a second Ctrl+Enter can come before that.
  const isSending = useRef(false);
  const memory = useRef<RequestMemory>({});
  // A picture that was sent once has its address: the same request again is the same to the function.
  const uploaded = useRef<{ picture: File; url: string }>(undefined);
  const promptInput = useRef<HTMLTextAreaElement>(null);
  const settingsId = useId();

  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (isSending.current || draft.prompt.trim() === '') return;
    isSending.current = true;
    setIsBusy(true);
    setFailure(undefined);
    try {
      if (picture !== null && uploaded.current?.picture !== picture) {
        uploaded.current = { picture, url: await uploadSource(picture) };
      }
      const imageUrl = picture === null ? undefined : uploaded.current?.url;
      await submitOnce(memory.current, requestOf(draft, imageUrl), submit);
    } catch (error) {
      if (!(error instanceof FirepodError)) throw error;
      setFailure(error);
      // A field behind "Settings" that was refused has to be seen.
      if (error.problems.some(({ field }) => !isAlwaysShown(field) && field in emptyDraft)) setIsOpen(true);
    } finally {
      isSending.current = false;
      setIsBusy(false);
    }
  };

  const sendOnCtrlEnter = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };

  const tryExample = (example: string) => {
    set({ prompt: example });
    promptInput.current?.focus();
  };

  const examples = promptExamples(card);
  const settings = countSettings(draft);
  return (
    <Paper
      withBorder
      shadow="xs"
      p={{ base: 'sm', sm: 'md' }}
      component="form"
      onSubmit={send}
      aria-label="New picture"
    >
      <Stack gap="sm">
        <Textarea
          ref={promptInput}
          label="Describe a picture"
          placeholder={examples[0] ?? 'a red apple on a blue background'}
          size="md"
          autosize
          minRows={2}
          maxRows={8}
          value={draft.prompt}
          onChange={(event) => set({ prompt: event.currentTarget.value })}
          onKeyDown={sendOnCtrlEnter}
          error={problemOf(failure, 'prompt')}
        />
        {examples.length > 0 && (
          <Group gap={6} role="group" aria-label="Examples">
            <Text size="xs" c="dimmed">
              Try
            </Text>
            {examples.map((example) => (
              <Button
                key={example}
                size="compact-xs"
                fw={500}
                variant="default"
                radius="xl"
                onClick={() => tryExample(example)}
              >
                {example}
              </Button>
            ))}
          </Group>
        )}
        {card?.tasks.includes('img2img') && (
          <SourcePicker picture={picture} choose={setPicture} draft={draft} set={set} failure={failure} />
        )}
        <Collapse in={isOpen} id={settingsId}>
          <SettingsFields card={card} draft={draft} set={set} failure={failure} />
        </Collapse>
        {failure !== undefined && !isShownInFields(failure) && (
          <Alert color="red" role="alert">
            {failure.message}
          </Alert>
        )}
        <Group justify="space-between" gap="xs">
          <Group gap="xs">
            <Button
              variant="default"
              onClick={() => setIsOpen(!isOpen)}
              aria-expanded={isOpen}
              aria-controls={settingsId}
            >
              Settings{settings > 0 && ` (${settings})`}
            </Button>
            {settings > 0 && (
              <Button
                variant="subtle"
                color="gray"
                onClick={() => {
                  setDraft({ ...emptyDraft, prompt: draft.prompt, strength: draft.strength });
                  setFailure(undefined);
                  // The button itself goes away.
                  promptInput.current?.focus();
                }}
              >
                Reset
              </Button>
            )}
          </Group>
          <Group gap="sm">
            <Text size="xs" c="dimmed" className="keyboard-hint" aria-hidden>
              <Kbd size="xs">{isMac ? '⌘' : 'Ctrl'}</Kbd> <Kbd size="xs">Enter</Kbd>
            </Text>
            <Button type="submit" loading={isBusy} disabled={draft.prompt.trim() === ''}>
              Generate
            </Button>
          </Group>
        </Group>
        {card !== undefined && <ModelNote card={card} />}
      </Stack>
    </Paper>
  );
}

const isMac = /^Mac/.test(navigator.platform);
