/** One stored object: its record, and how the two JSON APIs show it. */
import type { Checksums } from './checksums.ts';

/** Who besides the project may read the object by itself. */
export type AclEntry = { entity: string; role: 'READER' | 'OWNER' };

/** What a client may set. Absent fields have never been set. */
export type ObjectFields = {
  contentType?: string;
  cacheControl?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  contentLanguage?: string;
  customTime?: string;
  /** Custom metadata, and under `firebaseStorageDownloadTokens` the comma-separated tokens of Firebase. */
  metadata?: Record<string, string>;
};

/** The record of the current generation. Times are milliseconds since 1970. */
export type StoredObject = Checksums & {
  bucket: string;
  name: string;
  /** New with every write of the bytes. */
  generation: number;
  /** 1 with every new generation, one more with every change of metadata or ACL. */
  metageneration: number;
  /** Names the file with the bytes. */
  contentId: string;
  sizeBytes: number;
  fields: ObjectFields;
  acl: AclEntry[];
  /** Of how many objects it was composed. */
  componentCount?: number;
  createdAt: number;
  updatedAt: number;
};

/** Where Firebase keeps download tokens; the GCS API sees it as plain metadata. */
export const downloadTokensKey = 'firebaseStorageDownloadTokens';

/** The tokens with which anybody may download the object. */
export function downloadTokens({ fields }: StoredObject): string[] {
  return (fields.metadata?.[downloadTokensKey] ?? '').split(',').filter((token) => token !== '');
}

/** Whether the object's own ACL lets everybody read it. */
export function isPublic({ acl }: StoredObject): boolean {
  return acl.some(({ entity }) => entity === 'allUsers');
}

/** Changes when the bytes or the metadata do. */
export function objectEtag({ generation, metageneration }: StoredObject): string {
  return Buffer.from(`${generation}/${metageneration}`).toString('base64');
}

/** `storage#object` of the GCS JSON API. `origin` is this server's, for links. */
export function gcsResource(object: StoredObject, origin: string, { withAcl = false } = {}): object {
  const { bucket, name, generation, metageneration, fields } = object;
  const link = `${origin}/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}`;
  const created = new Date(object.createdAt).toISOString();
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    selfLink: link,
    mediaLink: `${link.replace('/storage/v1/', '/download/storage/v1/')}?generation=${generation}&alt=media`,
    name,
    bucket,
    generation: String(generation),
    metageneration: String(metageneration),
    ...fields,
    storageClass: 'STANDARD',
    size: String(object.sizeBytes),
    md5Hash: object.md5,
    crc32c: object.crc32c,
    ...(object.componentCount === undefined ? {} : { componentCount: object.componentCount }),
    etag: objectEtag(object),
    timeCreated: created,
    updated: new Date(object.updatedAt).toISOString(),
    timeStorageClassUpdated: created,
    ...(withAcl ? { acl: object.acl.map((entry) => aclResource(object, entry)) } : {}),
  };
}

/** `storage#objectAccessControl` of the GCS JSON API. */
export function aclResource(object: StoredObject, { entity, role }: AclEntry): object {
  const { bucket, name, generation } = object;
  return {
    kind: 'storage#objectAccessControl',
    id: `${bucket}/${name}/${generation}/${entity}`,
    object: name,
    generation: String(generation),
    bucket,
    entity,
    role,
    etag: objectEtag(object),
  };
}

/** Metadata of the Firebase API: tokens in a field of their own, no GCS links. */
export function firebaseResource(object: StoredObject): object {
  const { metadata = {}, ...fields } = object.fields;
  const { [downloadTokensKey]: _tokens, ...custom } = metadata;
  return {
    name: object.name,
    bucket: object.bucket,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    contentType: 'application/octet-stream',
    contentDisposition: 'inline',
    ...fields,
    ...(Object.keys(custom).length === 0 ? {} : { metadata: custom }),
    timeCreated: new Date(object.createdAt).toISOString(),
    updated: new Date(object.updatedAt).toISOString(),
    storageClass: 'STANDARD',
    size: String(object.sizeBytes),
    md5Hash: object.md5,
    crc32c: object.crc32c,
    etag: objectEtag(object),
    downloadTokens: downloadTokens(object).join(','),
  };
}
