/** What stands where a part of the studio is still loading; it does not spin for ever without a word. */
import { Center, Loader, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';

const patienceMs = 8_000;

export function WaitingPage() {
  const [isLate, setIsLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsLate(true), patienceMs);
    return () => clearTimeout(timer);
  }, []);
  return (
    <Center mih="100dvh" p="md">
      <Stack align="center">
        <Loader role="status" aria-label="Loading" />
        {isLate && (
          <Text c="dimmed" ta="center" role="status">
            This takes longer than it should. Check the connection, or load the page again.
          </Text>
        )}
      </Stack>
    </Center>
  );
}
