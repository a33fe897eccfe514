/**
 * What the processes of a stack inherit. A developer's shell may hold credentials, emulator addresses, proxies and a
 * project of their own; none of it may decide whom a local process talks to, so it gets these few variables and no more.
 */
const inherited = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TMP',
  'TEMP',
  'LD_LIBRARY_PATH',
  // Windows finds neither its own libraries nor a folder for temporary files without these.
  'SystemRoot',
  'USERPROFILE',
];

/** The variables of `env` that every process may have. */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    inherited.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
