/** Models in FIREPOD_MODEL: folders, and `hf:` names of the Hugging Face hub. Imports no engine, because the worker itself reads it. */
import { delimiter } from 'node:path';

const PREFIX = 'hf:';
const NAME = /^([\w.-]+\/[\w.-]+)(?:@([\w.-]+(?:\/[\w.-]+)*))?$/;

/** A model on the hub: `owner/name`, and a branch, tag or commit where one is named. */
export interface HubName {
  repository: string;
  revision?: string;
}

/** The entries of a list as PATH has it; the colon behind `hf` does not end one. */
export function splitModels(list: string): string[] {
  const pattern = new RegExp(`${PREFIX}[^${delimiter}]*|[^${delimiter}]+`, 'g');
  return list.match(pattern) ?? [];
}

/** Whether an entry means a model of the hub. A folder of such a name is written with `./`. */
export function isHubName(entry: string): boolean {
  return entry.startsWith(PREFIX);
}

/** `hf:owner/name` or `hf:owner/name@revision`; null for anything else. */
export function parseHubName(entry: string): HubName | null {
  const [, repository, revision] = (isHubName(entry) && NAME.exec(entry.slice(PREFIX.length))) || [];
  if (!repository) return null;
  return revision ? { repository, revision } : { repository };
}

/** As FIREPOD_MODEL has it. */
export function formatHubName({ repository, revision }: HubName): string {
  return PREFIX + repository + (revision ? `@${revision}` : '');
}
