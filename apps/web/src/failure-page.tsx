/** The page for what nobody expected: a sentence and a way on, instead of a blank window. */
import { Button, Center, Stack, Text, Title } from '@mantine/core';
import { Component, type ReactNode } from 'react';

export function FailurePage({ sentence }: { sentence: string }) {
  return (
    <Center mih="100dvh" p="md">
      <Stack align="center" maw={420} role="alert">
        <img src="/firepod.svg" alt="" width={40} height={40} />
        <Title order={1} size="h3">
          Firepod
        </Title>
        <Text ta="center">{sentence}</Text>
        <Button onClick={() => location.reload()}>Try again</Button>
      </Stack>
    </Center>
  );
}

/** Catches what is thrown while drawing, for example when a part of the page could not be loaded. */
export class FailureBoundary extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return <FailurePage sentence="A part of the studio could not be loaded or has failed." />;
  }
}
