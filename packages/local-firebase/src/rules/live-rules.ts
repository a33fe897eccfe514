/** The rules that a service enforces now: from a file, which is read again when it changes, or from a text. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { LocalFirebaseError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { loadRuleset, type Ruleset } from './ruleset.ts';
import type { ServiceName } from './syntax.ts';

/** Where rules come from. A file is watched, a text stays as it is. */
export type RulesSource = { file: string } | { text: string };

export type LiveRules = {
  /** Null where no rules were given: then clients may do nothing. */
  current(): Ruleset | null;
  /** Enforces another source from now on. @throws LocalFirebaseError `invalid_rules`, and the old ones stay. */
  replace(text: string): void;
  /** Stops looking at the file. */
  close(): void;
};

const watchIntervalMs = 1000;

/** @throws LocalFirebaseError `invalid_rules`, or `data_unreadable` for a file that cannot be read. */
export function openRules(
  source: RulesSource | undefined,
  { service, logger }: { service: ServiceName; logger: Logger },
): LiveRules {
  let current: Ruleset | null = null;
  const load = (text: string, file: string) => {
    current = loadRuleset(text, { service, file, logger });
  };

  if (source === undefined) logger.info({ service }, 'There are no security rules: clients may do nothing');
  else if ('text' in source) load(source.text, `rules of ${service}`);
  else load(readRules(source.file), source.file);

  const watched = source !== undefined && 'file' in source ? source.file : null;
  const reload = () => {
    if (watched === null) return;
    try {
      load(readRules(watched), watched);
      logger.info({ file: watched }, 'The security rules were read again');
    } catch (error) {
      if (!(error instanceof LocalFirebaseError)) throw error;
      logger.error(
        { file: watched, problems: error.message },
        'The old security rules stay: the new ones are broken',
      );
    }
  };
  if (watched !== null) watchFile(watched, { interval: watchIntervalMs, persistent: false }, reload);

  return {
    current: () => current,
    replace: (text) => load(text, `rules of ${service}`),
    close() {
      if (watched !== null) unwatchFile(watched, reload);
    },
  };
}

function readRules(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new LocalFirebaseError('data_unreadable', `Cannot read the security rules: ${reason}.`, { cause });
  }
}
