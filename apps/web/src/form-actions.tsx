/** The foot of the form: what opens the settings, what takes them back, and what sends the request. */
import { Button, Group, Kbd, Text } from '@mantine/core';

interface FormActionsProps {
  settings: { count: number; isOpen: boolean; panelId: string; toggle: () => void; reset: () => void };
  isBusy: boolean;
  canSend: boolean;
}

export function FormActions({ settings, isBusy, canSend }: FormActionsProps) {
  const { count, isOpen, panelId, toggle, reset } = settings;
  return (
    <Group justify="space-between" gap="xs">
      <Group gap="xs">
        <Button variant="default" onClick={toggle} aria-expanded={isOpen} aria-controls={panelId}>
          Settings{count > 0 && ` (${count})`}
        </Button>
        {count > 0 && (
          <Button variant="subtle" color="gray" onClick={reset}>
            Reset
          </Button>
        )}
      </Group>
      <Group gap="sm">
        <Text size="xs" c="dimmed" className="keyboard-hint" aria-hidden>
          <Kbd size="xs">{isMac ? '⌘' : 'Ctrl'}</Kbd> <Kbd size="xs">Enter</Kbd>
        </Text>
        <Button type="submit" loading={isBusy} disabled={!canSend}>
          Generate
        </Button>
      </Group>
    </Group>
  );
}

const isMac = /^Mac/.test(navigator.platform);
