/** Where a person says what to make: a picture or a video, the prompt, what it starts from, and the rest behind "Settings". */

import { FirepodError, type GenerationRequest, type MediaType } from '@firepod/client';
import type { ModelCard } from '@firepod/contract';
import { Alert, Collapse, Paper, SegmentedControl, Stack } from '@mantine/core';
import { type FormEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { FormActions } from './form-actions.tsx';
import { ModelNote } from './model-note.tsx';
import { cardFor, isOffered, offeredMedia, taskOf } from './offered-tasks.ts';
import { promptExamples } from './prompt-examples.ts';
import { PromptField } from './prompt-field.tsx';
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
import { createSourceUploads } from './source-uploads.ts';
import type { Start } from './start-picture.ts';

interface PromptFormProps {
  /** Of all published models. */
  cards: readonly ModelCard[];
  /** What a picture is made from; the list of results sets it too. */
  start: Start;
  submit: (request: GenerationRequest, options: { requestId: string }) => Promise<unknown>;
  /** Resolves with the address of a picture to start from. */
  uploadSource: (picture: Blob) => Promise<string>;
}

const mediaNames: Record<MediaType, string> = { image: 'Picture', video: 'Video' };

export function PromptForm({ cards, start, submit, uploadSource }: PromptFormProps) {
  const [chosenMedia, setMedia] = useState<MediaType>('image');
  // Steps that suit one model are no steps for another: each kind has its own settings, and both have the prompt.
  const [drafts, setDrafts] = useState<Record<MediaType, Draft>>({ image: emptyDraft, video: emptyDraft });
  const [isOpen, setIsOpen] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState<FirepodError>();
  // The state above is drawn later: a second Ctrl+Enter can come before that.
  const isSending = useRef(false);
  const memory = useRef<RequestMemory>({});
  const uploads = useMemo(() => createSourceUploads(uploadSource), [uploadSource]);
  const form = useRef<HTMLFormElement>(null);
  const promptInput = useRef<HTMLTextAreaElement>(null);
  const settingsId = useId();

  const { picture, mask } = start;
  const offered = offeredMedia(cards);
  const media = offered.includes(chosenMedia) ? chosenMedia : (offered[0] ?? 'image');
  const draft = drafts[media];
  const card = cardFor(cards, taskOf(media, { hasSource: picture !== null, hasMask: mask !== null }));
  const access = {
    draft,
    failure,
    set: (change: Partial<Draft>) =>
      setDrafts((before) => ({ ...before, [media]: { ...before[media], ...change } })),
  };
  const setPrompt = (prompt: string) =>
    setDrafts(({ image, video }) => ({ image: { ...image, prompt }, video: { ...video, prompt } }));

  useEffect(() => {
    // A result was chosen in the list, perhaps far below and while a video was being asked for.
    if (picture === null || picture.file !== null) return;
    setMedia('image');
    form.current?.scrollIntoView({ block: 'start' });
    promptInput.current?.focus({ preventScroll: true });
  }, [picture]);

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (isSending.current || draft.prompt.trim() === '') return;
    isSending.current = true;
    setIsBusy(true);
    setFailure(undefined);
    try {
      const hasSource = media === 'image' && picture !== null;
      const sources = hasSource ? await uploads.addressesOf(picture, mask) : undefined;
      await submitOnce(memory.current, requestOf(draft, media, sources), submit);
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

  const chooseMedia = (value: string) => {
    setMedia(value as MediaType);
    setFailure(undefined);
  };

  const reset = () => {
    access.set({ ...emptyDraft, prompt: draft.prompt, strength: draft.strength });
    setFailure(undefined);
    // The button itself goes away.
    promptInput.current?.focus();
  };

  const noun = mediaNames[media].toLowerCase();
  return (
    <Paper
      ref={form}
      withBorder
      shadow="xs"
      p={{ base: 'sm', sm: 'md' }}
      component="form"
      onSubmit={send}
      aria-label={`New ${noun}`}
    >
      <Stack gap="sm">
        {offered.length > 1 && (
          <SegmentedControl
            className="media-choice"
            aria-label="What to make"
            value={media}
            onChange={chooseMedia}
            data={offered.map((value) => ({ value, label: mediaNames[value] }))}
          />
        )}
        <PromptField
          label={`Describe a ${noun}`}
          examples={promptExamples(card)}
          prompt={draft.prompt}
          setPrompt={setPrompt}
          problem={problemOf(failure, 'prompt')}
          input={promptInput}
        />
        {media === 'image' && isOffered(cards, 'img2img') && (
          <SourcePicker start={start} canMask={isOffered(cards, 'inpaint')} {...access} />
        )}
        <Collapse in={isOpen} id={settingsId}>
          <SettingsFields media={media} card={card} {...access} />
        </Collapse>
        {failure !== undefined && !isShownInFields(failure) && (
          <Alert color="red" role="alert">
            {failure.message}
          </Alert>
        )}
        <FormActions
          settings={{
            count: countSettings(draft),
            isOpen,
            panelId: settingsId,
            toggle: () => setIsOpen(!isOpen),
            reset,
          }}
          isBusy={isBusy}
          canSend={draft.prompt.trim() !== ''}
        />
        {card !== undefined && <ModelNote card={card} />}
      </Stack>
    </Paper>
  );
}
