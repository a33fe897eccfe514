/** The studio's Firebase app, configured by what Hosting serves: the same in production and on one machine. */
import { type FirebaseApp, initializeApp } from 'firebase/app';

/** @throws {Error} when Hosting's configuration cannot be read. */
export async function initialiseFirebase(): Promise<FirebaseApp> {
  const response = await fetch('/__/firebase/init.json');
  if (!response.ok) throw new Error(`/__/firebase/init.json answered ${response.status}.`);
  return initializeApp(await response.json());
}
