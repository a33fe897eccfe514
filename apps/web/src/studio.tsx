/** The studio of a signed-in user: the form, and the live list of what was asked for. */

import { createFirepodClient, type FirepodGeneration, type GenerationRequest } from '@firepod/client';
import { FUNCTIONS_REGION } from '@firepod/contract';
import { Alert, Button, Container, Group, Loader, Stack, Text, Title } from '@mantine/core';
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
import { GenerationCard } from './generation-card.tsx';
import { PromptForm } from './prompt-form.tsx';
import { useGenerations, useModelCard } from './use-live.ts';

const listedGenerations = 60;

export function Studio({ app, user }: { app: FirebaseApp; user: User }) {
  const { client, firestore } = useMemo(() => servicesOf(app), [app]);
  const card = useModelCard(firestore);
  const { generations, error } = useGenerations(client, listedGenerations);
  const cancel = (generation: FirepodGeneration) => client.cancel(generation.reference);

  return (
    <Container size="lg" py="md">
      <Group justify="space-between" mb="md" wrap="nowrap">
        <Title order={1} size="h3">
          Firepod
        </Title>
        <Group gap="xs" wrap="nowrap">
          <Text size="sm" c="dimmed" truncate maw={{ base: 120, sm: 300 }}>
            {user.isAnonymous ? 'Guest' : user.email}
          </Text>
          <Button size="compact-sm" variant="default" onClick={() => void signOut(getAuth(app))}>
            Sign out
          </Button>
        </Group>
      </Group>
      <Stack gap="lg">
        <PromptForm card={card} submit={(request) => client.submit(request as GenerationRequest)} />
        {error !== undefined && (
          <Alert color="red" role="alert">
            {error.message}
          </Alert>
        )}
        {generations === undefined && error === undefined && <Loader mx="auto" aria-label="Loading" />}
        {generations?.length === 0 && (
          <Text c="dimmed" ta="center" py="xl">
            Your pictures will stand here.
          </Text>
        )}
        <ul className="generation-list" aria-label="Your pictures">
          {generations?.map((generation) => (
            <GenerationCard
              key={generation.reference.path}
              generation={generation}
              cancel={() => cancel(generation)}
            />
          ))}
        </ul>
      </Stack>
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
