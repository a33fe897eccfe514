/** The page for somebody who is not signed in: as a guest, or with an e-mail address. */
import {
  Alert,
  Anchor,
  Button,
  Center,
  Divider,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { type FirebaseApp, FirebaseError } from 'firebase/app';
import {
  createUserWithEmailAndPassword,
  getAuth,
  signInAnonymously,
  signInWithEmailAndPassword,
} from 'firebase/auth';
import { type FormEvent, useState } from 'react';

/** What went wrong, by Firebase's code, in words for the person who signs in. */
const sentences: Record<string, string> = {
  'auth/email-already-in-use': 'There is an account with this address. Sign in instead.',
  'auth/invalid-email': 'This does not look like an e-mail address.',
  'auth/weak-password': 'The password needs at least six characters.',
  'auth/missing-password': 'Type a password.',
  'auth/invalid-credential': 'The address or the password is wrong.',
  'auth/user-not-found': 'There is no account with this address.',
  'auth/wrong-password': 'The address or the password is wrong.',
  'auth/user-disabled': 'This account is closed.',
  'auth/too-many-requests': 'Too many tries. Wait a little and try again.',
  'auth/network-request-failed': 'The server cannot be reached. Check the connection and try again.',
};

export function SignIn({ app }: { app: FirebaseApp }) {
  const auth = getAuth(app);
  const [isNew, setIsNew] = useState(false);
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [failure, setFailure] = useState<string>();
  const [busy, setBusy] = useState(false);

  const attempt = async (signIn: () => Promise<unknown>) => {
    setBusy(true);
    setFailure(undefined);
    try {
      await signIn();
    } catch (error) {
      const code = error instanceof FirebaseError ? error.code : '';
      setFailure(sentences[code] ?? 'Signing in did not work. Try again.');
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const withEmail = isNew ? createUserWithEmailAndPassword : signInWithEmailAndPassword;
    void attempt(() => withEmail(auth, email, password));
  };

  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={400}>
        <Stack>
          <div>
            <img src="/firepod.svg" alt="" width={44} height={44} />
            <Title order={1} size="h2" mt="xs">
              Firepod
            </Title>
            <Text c="dimmed">Describe a picture and watch it come into being.</Text>
          </div>
          <Button size="md" loading={busy} onClick={() => void attempt(() => signInAnonymously(auth))}>
            Continue as a guest
          </Button>
          <Text size="xs" c="dimmed" ta="center" mt={-8}>
            No account needed; the pictures go when you sign out.
          </Text>
          <Divider label="or with an e-mail address" />
          <form onSubmit={submit}>
            <Stack gap="sm">
              <TextInput
                label="E-mail"
                type="email"
                autoComplete="email"
                required
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
              />
              <PasswordInput
                label="Password"
                autoComplete={isNew ? 'new-password' : 'current-password'}
                required
                value={password}
                onChange={(event) => setPassword(event.currentTarget.value)}
              />
              <Button type="submit" variant="default" loading={busy}>
                {isNew ? 'Create the account' : 'Sign in'}
              </Button>
            </Stack>
          </form>
          {failure !== undefined && (
            <Alert color="red" role="alert">
              {failure}
            </Alert>
          )}
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => {
              setIsNew(!isNew);
              setFailure(undefined);
            }}
          >
            {isNew ? 'I have an account' : 'I have no account yet'}
          </Anchor>
        </Stack>
      </Paper>
    </Center>
  );
}
