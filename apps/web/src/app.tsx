/** Who is here: the sign-in page for nobody, the studio for a user. */
import type { FirebaseApp } from 'firebase/app';
import { getAuth, onAuthStateChanged, type User } from 'firebase/auth';
import { lazy, Suspense, useEffect, useState } from 'react';
import { SignIn } from './sign-in.tsx';
import { WaitingPage } from './waiting-page.tsx';

// Firestore is the largest part of the page: it is fetched once the sign-in page stands.
const loadStudio = async () => ({ default: (await import('./studio.tsx')).Studio });
const Studio = lazy(loadStudio);

export function App({ app }: { app: FirebaseApp }) {
  const [user, setUser] = useState<User | null>();
  useEffect(() => onAuthStateChanged(getAuth(app), setUser), [app]);
  useEffect(() => {
    // Where this fails there is still nothing to say: it is tried again when the studio is needed.
    loadStudio().catch(() => undefined);
  }, []);
  if (user === undefined) return <WaitingPage />;
  if (user === null) return <SignIn app={app} />;
  return (
    <Suspense fallback={<WaitingPage />}>
      {/* The key: another user, perhaps signed in by another tab, begins with a list and a form of their own. */}
      <Studio key={user.uid} app={app} user={user} />
    </Suspense>
  );
}
