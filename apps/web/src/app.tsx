/** Who is here: the sign-in page for nobody, the studio for a user. */
import { Center, Loader } from '@mantine/core';
import type { FirebaseApp } from 'firebase/app';
import { getAuth, onAuthStateChanged, type User } from 'firebase/auth';
import { lazy, Suspense, useEffect, useState } from 'react';
import { SignIn } from './sign-in.tsx';

// Firestore is the largest part of the page, and nobody needs it before signing in.
const Studio = lazy(async () => ({ default: (await import('./studio.tsx')).Studio }));

const waiting = (
  <Center h="100vh">
    <Loader aria-label="Loading" />
  </Center>
);

export function App({ app }: { app: FirebaseApp }) {
  const [user, setUser] = useState<User | null>();
  useEffect(() => onAuthStateChanged(getAuth(app), setUser), [app]);
  if (user === undefined) return waiting;
  if (user === null) return <SignIn app={app} />;
  return (
    <Suspense fallback={waiting}>
      <Studio app={app} user={user} />
    </Suspense>
  );
}
