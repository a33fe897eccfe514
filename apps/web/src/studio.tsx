/** The studio of a signed-in user: the form, and the live list of what was asked for. */

import { createFirepodClient } from '@firepod/client';
import { FUNCTIONS_REGION } from '@firepod/contract';
import { Alert, Button, Container, Group, Stack, VisuallyHidden } from '@mantine/core';
import type { FirebaseApp } from 'firebase/app';
import { getAuth, signOut, type User } from 'firebase/auth';
import {
  type Firestore,
  getFirestore,
  initializeFirestore,
  persistentLocalCache,
  persistentMultipleTabManager,
} from 'firebase/firestore';
import { getFunctions } from 'firebase/functions';
import { useMemo } from 'react';
import { GenerationList } from './generation-list.tsx';
import { isOffered } from './offered-tasks.ts';
import { PromptForm } from './prompt-form.tsx';
import { useStart } from './start-picture.ts';
import { StudioHeader } from './studio-header.tsx';
import { useAnnouncement, useGenerations, useModelCards } from './use-live.ts';

const listedGenerations = 60;

export function Studio({ app, user }: { app: FirebaseApp; user: User }) {
  const { client, firestore } = useMemo(() => servicesOf(app), [app]);
  const { cards, isOutOfReach } = useModelCards(firestore);
  const start = useStart();
  const { generations, error, retry } = useGenerations(client, listedGenerations);
  const announcement = useAnnouncement(generations);

  return (
    <Container size="lg" pb="xl">
      <StudioHeader
        user={user}
        hasPictures={generations !== undefined && generations.length > 0}
        signOut={() => void signOut(getAuth(app))}
      />
      <Stack component="main" gap="lg">
        <PromptForm cards={cards} start={start} submit={client.submit} uploadSource={client.uploadSource} />
        {isOutOfReach && (
          <Alert color="yellow" role="status">
            The server cannot be reached. What you see may be old; it goes on by itself when the connection is
            back.
          </Alert>
        )}
        {error !== undefined && (
          <Alert color="red" role="alert">
            <Group justify="space-between">
              {error.message}
              <Button size="compact-sm" color="red" variant="light" onClick={retry}>
                Try again
              </Button>
            </Group>
          </Alert>
        )}
        <GenerationList
          generations={generations}
          isCurrent={!isOutOfReach && error === undefined}
          cancel={({ reference }) => client.cancel(reference)}
          startFrom={isOffered(cards, 'img2img') ? start.choose : undefined}
        />
      </Stack>
      <VisuallyHidden role="status">{announcement}</VisuallyHidden>
    </Container>
  );
}

/** One Firestore for the page's life, shared by all tabs: a browser opens only six connections to a host. */
let sharedFirestore: Firestore | undefined;

function servicesOf(app: FirebaseApp) {
  if (sharedFirestore === undefined) {
    initializeFirestore(app, {
      localCache: persistentLocalCache({ tabManager: persistentMultipleTabManager() }),
    });
    // Not what initializeFirestore returned: only getFirestore reads where the local Firestore is.
    sharedFirestore = getFirestore(app);
  }
  const firestore = sharedFirestore;
  const functions = getFunctions(app, FUNCTIONS_REGION);
  return { firestore, client: createFirepodClient({ auth: getAuth(app), firestore, functions }) };
}
