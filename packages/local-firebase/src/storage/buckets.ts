/** The buckets of this server: which exist, who may see single objects, and which web pages may read them. */
import { LocalFirebaseError } from '../errors.ts';
import { noSuchBucket, StorageRequestError } from './errors.ts';
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

/** A bucket as the server knows it: uniform access and public access prevention are two switches in the cloud. */
export type Bucket = {
  name: string;
  uniformAccess: boolean;
  publicAccessPrevented: boolean;
  cors: readonly CorsRule[];
  /** What an object gets that is uploaded without an ACL. */
  defaultAcl: readonly AclEntry[];
  metageneration: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
};

/** What a PATCH may change. */
export type BucketChanges = Partial<
  Pick<Bucket, 'uniformAccess' | 'publicAccessPrevented' | 'cors' | 'defaultAcl'>
>;

/** Looks buckets up and changes their settings while the server runs. */
export type Buckets = {
  /** @throws StorageRequestError 404 */
  get(name: string): Bucket;
  find(name: string): Bucket | null;
  all(): Bucket[];
  /** Replaces what is given. */
  change(name: string, changes: BucketChanges): Bucket;
  /** The same in the words of the options. */
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
    const now = clock();
    buckets.set(name, {
      name,
      uniformAccess: false,
      publicAccessPrevented: false,
      cors: [],
      defaultAcl: [],
      ...changesOf(given),
      metageneration: 1,
      createdAt: now,
      updatedAt: now,
    });
  }
  function get(name: string): Bucket {
    const bucket = buckets.get(name);
    if (bucket === undefined) throw noSuchBucket();
    return bucket;
  }
  function change(name: string, changes: BucketChanges): Bucket {
    const bucket = get(name);
    const metageneration = bucket.metageneration + 1;
    const changed = { ...bucket, ...changes, metageneration, updatedAt: clock() };
    buckets.set(name, changed);
    return changed;
  }
  return {
    get,
    find: (name) => buckets.get(name) ?? null,
    all: () => [...buckets.values()],
    change,
    configure: (name, settings) => change(name, changesOf(settings)),
  };
}

function changesOf({ accessControl, cors }: BucketSettings): BucketChanges {
  return {
    ...(cors === undefined ? {} : { cors }),
    ...(accessControl === undefined
      ? {}
      : {
          uniformAccess: accessControl === 'uniform',
          publicAccessPrevented: accessControl === 'public-access-prevented',
        }),
  };
}

/** Whether ACLs of single objects open nothing to the public. */
export function refusesObjectAcls({ uniformAccess, publicAccessPrevented }: Bucket): boolean {
  return uniformAccess || publicAccessPrevented;
}

/** Refuses to read or change the ACL of an object where uniform access has put it out of force. @throws StorageRequestError 400 */
export function ensureAclsCount(
  { uniformAccess }: Bucket,
  verb: 'get' | 'insert' | 'update' | 'delete',
): void {
  if (!uniformAccess) return;
  throw new StorageRequestError(
    400,
    'invalid',
    `Cannot ${verb} legacy ACL for an object when uniform bucket-level access is enabled. Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access`,
  );
}

/** Refuses an ACL that the bucket does not take, with the cloud's status and words. */
export function ensureAclAllowed(bucket: Bucket, acl: readonly AclEntry[]): void {
  ensureAclsCount(bucket, 'insert');
  const opens = acl.some(({ entity }) => entity === 'allUsers' || entity === 'allAuthenticatedUsers');
  if (bucket.publicAccessPrevented && opens) {
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
  const { name, uniformAccess, publicAccessPrevented, cors, metageneration } = bucket;
  return {
    kind: 'storage#bucket',
    id: name,
    name,
    selfLink: `${origin}/storage/v1/b/${name}`,
    location: 'US',
    storageClass: 'STANDARD',
    metageneration: String(metageneration),
    etag: Buffer.from(String(metageneration)).toString('base64'),
    timeCreated: new Date(bucket.createdAt).toISOString(),
    updated: new Date(bucket.updatedAt).toISOString(),
    ...(cors.length === 0 ? {} : { cors }),
    iamConfiguration: {
      uniformBucketLevelAccess: { enabled: uniformAccess },
      publicAccessPrevention: publicAccessPrevented ? 'enforced' : 'inherited',
    },
  };
}
