/** The head of the studio: its name, who is signed in, and the way out. */
import { Button, Group, Modal, Text, Title } from '@mantine/core';
import type { User } from 'firebase/auth';
import { useState } from 'react';

interface StudioHeaderProps {
  user: Pick<User, 'isAnonymous' | 'email'>;
  /** Whether signing out takes something away from a guest. */
  hasPictures: boolean;
  signOut: () => void;
}

export function StudioHeader({ user, hasPictures, signOut }: StudioHeaderProps) {
  const [isAsking, setIsAsking] = useState(false);
  const losesPictures = user.isAnonymous && hasPictures;
  return (
    <Group component="header" justify="space-between" py="sm" wrap="nowrap">
      <Group gap="xs" wrap="nowrap">
        <img src="/firepod.svg" alt="" width={28} height={28} />
        <Title order={1} size="h4">
          Firepod
        </Title>
      </Group>
      <Group gap="sm" wrap="nowrap" miw={0}>
        <Text size="sm" c="dimmed" truncate>
          {user.isAnonymous ? 'Guest' : user.email}
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          flex="none"
          onClick={losesPictures ? () => setIsAsking(true) : signOut}
        >
          Sign out
        </Button>
      </Group>
      <Modal
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title="Sign out for good?"
        centered
        size="sm"
      >
        <Text size="sm">
          A guest cannot sign in again: nobody will get back to your pictures. Save those that you want to
          keep first.
        </Text>
        <Group justify="flex-end" mt="lg">
          <Button variant="default" onClick={() => setIsAsking(false)} data-autofocus>
            Stay
          </Button>
          <Button color="red" onClick={signOut}>
            Sign out and lose them
          </Button>
        </Group>
      </Modal>
    </Group>
  );
}
