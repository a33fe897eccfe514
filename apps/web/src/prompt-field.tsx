/** The prompt, and examples of what the model can make of one. */
import { Button, Group, Text, Textarea } from '@mantine/core';
import type { KeyboardEvent, RefObject } from 'react';

interface PromptFieldProps {
  label: string;
  /** The first stands in the empty field. */
  examples: readonly string[];
  prompt: string;
  setPrompt: (prompt: string) => void;
  problem: string | undefined;
  input: RefObject<HTMLTextAreaElement | null>;
}

export function PromptField({ label, examples, prompt, setPrompt, problem, input }: PromptFieldProps) {
  const sendOnCtrlEnter = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  const tryExample = (example: string) => {
    setPrompt(example);
    input.current?.focus();
  };
  return (
    <>
      <Textarea
        ref={input}
        label={label}
        placeholder={examples[0] ?? 'a red apple on a blue background'}
        size="md"
        autosize
        minRows={2}
        maxRows={8}
        value={prompt}
        onChange={(event) => setPrompt(event.currentTarget.value)}
        onKeyDown={sendOnCtrlEnter}
        error={problem}
      />
      {examples.length > 0 && (
        <Group gap={6} role="group" aria-label="Examples" className="examples">
          <Text size="xs" c="dimmed">
            Try
          </Text>
          {examples.map((example) => (
            <Button
              key={example}
              size="compact-sm"
              fw={500}
              fz="xs"
              variant="default"
              radius="xl"
              onClick={() => tryExample(example)}
            >
              {example}
            </Button>
          ))}
        </Group>
      )}
    </>
  );
}
