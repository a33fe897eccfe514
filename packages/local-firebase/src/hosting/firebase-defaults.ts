/** `__FIREBASE_DEFAULTS__`: the global from which the web SDK takes its configuration and the addresses of emulators. */

/**
 * `host:port` of each local service. The SDK reads `auth` in `getAuth()`, `firestore` in `getFirestore()` (also when
 * `initializeFirestore()` came before it), `storage` in `getStorage()` and `functions` in `getFunctions()`; the
 * `initialize…` functions themselves do not look (@firebase/util, `getDefaultEmulatorHost`).
 */
export type EmulatorHosts = { auth?: string; firestore?: string; storage?: string; functions?: string };

/** The script element that sets the global. It must run before the app's own scripts. */
export function firebaseDefaultsScript(
  config: Record<string, unknown>,
  emulatorHosts: EmulatorHosts,
): string {
  // "<" ends a script element only as "</script": escaped, no value can.
  const json = JSON.stringify({ config, emulatorHosts }).replace(/</g, '\\u003c');
  return `<script>globalThis.__FIREBASE_DEFAULTS__=${json}</script>`;
}

/** Puts an element first into the head of a page; before everything else where there is no head. */
export function insertIntoHead(html: string, element: string): string {
  const head = /<head(?:\s[^>]*)?>/i.exec(html);
  if (head === null) return `${element}${html}`;
  const at = head.index + head[0].length;
  return `${html.slice(0, at)}${element}${html.slice(at)}`;
}
