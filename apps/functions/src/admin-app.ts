/** The one Admin app of a process, made at its first use. */
import { type App, getApps, initializeApp } from 'firebase-admin/app';

/** Finds the default app, whoever made it; else initialises it from the environment that the runtime sets. */
export function adminApp(): App {
  return getApps().find(({ name }) => name === '[DEFAULT]') ?? initializeApp();
}
