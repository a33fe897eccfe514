/** The buckets of this server: which exist, who may see single objects, and which web pages may read them. */
import { LocalFirebaseError } from '../errors.ts';
import { StorageRequestError } from './errors.ts';
import type { AclEntry } from './object.ts';

/** One entry of a bucket's CORS configuration, as `gcloud storage buckets update --cors-file` takes it. */
export type CorsRule = {
  /** `*` or exact origins (`http://localhost:5000`). */
  origin: readonly string[];
  /** HTTP methods, or `*`. */
  method: readonly string[];
  /** Headers that a page may send and read. */
  responseHeader?: readonly string[];
  maxAgeSeconds?: number;
};

/** How a bucket treats ACLs of single objects, by which files become public. */
export type ObjectAccessControl =
  /** They count: `predefinedAcl=publicRead` and `makePublic()` work. */
  | 'object-acls'
  /** Uniform bucket-level access: they are refused with 400. */
  | 'uniform'
  /** Public access prevention: making something public is refused with 412. */
  | 'public-access-prevented';

/** What a bucket is made with. */
export type BucketSettings = {
  /** `object-acls` when absent. */
  accessControl?: ObjectAccessControl;
  /** None when absent, as for a new bucket: no web page of another origin may read the bytes. */
  cors?: readonly CorsRule[];
};

/** A bucket as the server knows it. */
export type Bucket = Required<BucketSettings> & { name: string; createdAt: number };

/** Looks buckets up and changes their settings while the server runs. */
export type Buckets = {
  /** @throws StorageRequestError 404 */
  get(name: string): Bucket;
  /** Replaces the settings that are given. */
  configure(name: string, settings: BucketSettings): Bucket;
};

/** @throws LocalFirebaseError `invalid_configuration` for a name that no bucket can have. */
export function createBuckets(settings: Record<string, BucketSettings>, clock: () => number): Buckets {
  const buckets = new Map<string, Bucket>();
  for (const [name, given] of Object.entries(settings)) {
    if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name)) {
      const message = `"${name}" cannot be a bucket: expected 3 to 222 lower-case letters, digits, dots and dashes.`;
      throw new LocalFirebaseError('invalid_configuration', message);
    }
    buckets.set(name, { accessControl: 'object-acls', cors: [], ...given, name, createdAt: clock() });
  }
  function get(name: string): Bucket {
    const bucket = buckets.get(name);
    if (bucket === undefined)
      throw new StorageRequestError(404, 'notFound', 'The specified bucket does not exist.');
    return bucket;
  }
  return {
    get,
    configure(name, changes) {
      const changed = { ...get(name), ...changes };
      buckets.set(name, changed);
      return changed;
    },
  };
}

/** Refuses an ACL that the bucket does not take, with the cloud's status and words. */
export function ensureAclAllowed({ accessControl }: Bucket, acl: readonly AclEntry[]): void {
  if (accessControl === 'uniform') {
    throw new StorageRequestError(
      400,
      'invalid',
      'Cannot insert legacy ACL for an object when uniform bucket-level access is enabled. Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access',
    );
  }
  const opens = acl.some(({ entity }) => entity === 'allUsers' || entity === 'allAuthenticatedUsers');
  if (accessControl === 'public-access-prevented' && opens) {
    throw new StorageRequestError(
      412,
      'conditionNotMet',
      'The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.',
    );
  }
}

/** The entries that a `predefinedAcl` stands for; the project's own access is not listed. @throws StorageRequestError 400 */
export function predefinedAcl(name: string): AclEntry[] {
  if (name === 'publicRead') return [{ entity: 'allUsers', role: 'READER' }];
  if (name === 'authenticatedRead') return [{ entity: 'allAuthenticatedUsers', role: 'READER' }];
  if (['private', 'projectPrivate', 'bucketOwnerRead', 'bucketOwnerFullControl'].includes(name)) return [];
  throw new StorageRequestError(400, 'invalid', `Invalid argument: predefinedAcl=${name}`);
}

/** `storage#bucket` of the JSON API. */
export function bucketResource(bucket: Bucket, origin: string): object {
  const { name, accessControl, cors } = bucket;
  const created = new Date(bucket.createdAt).toISOString();
  return {
    kind: 'storage#bucket',
    id: name,
    name,
    selfLink: `${origin}/storage/v1/b/${name}`,
    location: 'US',
    storageClass: 'STANDARD',
    metageneration: '1',
    etag: 'CAE=',
    timeCreated: created,
    updated: created,
    ...(cors.length === 0 ? {} : { cors }),
    iamConfiguration: {
      uniformBucketLevelAccess: { enabled: accessControl === 'uniform' },
      publicAccessPrevention: accessControl === 'public-access-prevented' ? 'enforced' : 'inherited',
    },
  };
}
