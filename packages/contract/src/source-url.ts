/** What the doors can tell of a source's address without asking for it: whose upload it is, and whether its host is public. */
import { DATA_URL_MAX_CHARACTERS } from './limits.ts';
import { isSourceOf, parseStorageUrl } from './paths.ts';
import { expectationOf, type RequestField } from './request-fields.ts';

/** Where the sources of a deployment may lie. */
export interface SourcePlaces {
  /** The one bucket of the uploads; null where it is not known, and then it is not checked here. */
  readonly bucket?: string | null | undefined;
  /** `host:port` of a local Storage, whose addresses are http. */
  readonly storageEmulatorHost?: string | null | undefined;
}

/** The places, and who asks. */
export interface SourceRules extends SourcePlaces {
  /** Null where a job came without a user: then no `gs://` source can be the user's own. */
  readonly userId: string | null;
  readonly dataUrlMaxCharacters?: number;
}

/** What is expected of a source whose shape is good but which may not be used; null where it may, as far as can be told. */
export function sourceFault(field: RequestField, value: unknown, rules: SourceRules): string | null {
  if (typeof value !== 'string') return null;
  if (value.startsWith('data:')) {
    const maximum = rules.dataUrlMaxCharacters ?? DATA_URL_MAX_CHARACTERS;
    if (value.length <= maximum) return null;
    return `a data URL of at most ${maximum} characters; upload larger images and send their gs:// address`;
  }
  if (value.startsWith('gs://')) return uploadFault(value, rules);
  return addressFault(field, value, rules);
}

function uploadFault(value: string, { userId, bucket }: SourceRules): string | null {
  const object = parseStorageUrl(value);
  if (object === null) return null;
  const isOurs = bucket === undefined || bucket === null || object.bucket === bucket;
  if (isOurs && userId !== null && isSourceOf(userId, object.name)) return null;
  return `a source of the same user, gs://${bucket ?? '{bucket}'}/generating/${userId ?? '{user_id}'}/source/{name}`;
}

/**
 * A name may lead anywhere, so whoever fetches it looks at the addresses that it stands for. What is closed by its looks
 * is refused here: no time of a GPU is spent on it.
 */
function addressFault(
  field: RequestField,
  value: string,
  { storageEmulatorHost }: SourceRules,
): string | null {
  if (!URL.canParse(value)) return null;
  // The URL standard writes every form of an IPv4 address, such as 0x7f.1, as four decimal numbers.
  const { protocol, host, hostname, username, password } = new URL(value);
  if (protocol === 'http:' && host === storageEmulatorHost) return null;
  if (protocol !== 'https:') return expectationOf(field);
  const name = hostname.replace(/\.$/, '');
  const isAddress = name.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(name);
  const isLocal = !name.includes('.') || /\.(?:localhost|local|internal|lan|home\.arpa)$/.test(name);
  if (isAddress || isLocal)
    return 'an https address whose host is a public name, as in https://example.com/a.png';
  return username === '' && password === '' ? null : 'an https address without a user name or password';
}
