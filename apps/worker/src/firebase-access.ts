/** Finds out before the first job whether the service account may do what a job needs, and says in words what it may not. */
import { LIMITS_PATH } from '@firepod/contract';
import type { Firestore } from 'firebase-admin/firestore';
import { z } from 'zod';
import { WorkerError } from './errors.ts';
import type { Bucket } from './storage/media-store.ts';

/** Who asks for what. */
export interface FirebaseAccess {
  firestore: Firestore;
  bucket: Bucket;
  projectId: string;
  clientEmail: string;
}

/** What storing, overwriting and cleaning up takes. Making files public takes more, but a bucket may refuse that anyway. */
const BUCKET_PERMISSIONS = ['storage.objects.create', 'storage.objects.get', 'storage.objects.delete'];

/** gRPC's codes; the REST transport has the same in its errors. https://grpc.io/docs/guides/status-codes/ */
const GRPC = { notFound: 5, permissionDenied: 7, unauthenticated: 16 };

/** What Google's token endpoint and APIs say of a key that was deleted, disabled or never theirs. */
const KEY_REFUSED = /invalid_grant|invalid_client|invalid authentication credentials/i;

const thrownByGoogle = z.object({
  code: z.coerce.number().optional().catch(undefined),
  message: z.string().catch(''),
});

/**
 * Makes one call to each of Firestore and Storage.
 * @throws WorkerError `environment_invalid` when one is refused: a sentence with what to do. Any other error (no network,
 *   a service that is down) is thrown as it is and says nothing about the account.
 */
export async function checkFirebaseAccess(access: FirebaseAccess): Promise<void> {
  const [database, storage] = await Promise.allSettled([
    access.firestore.doc(LIMITS_PATH).get(),
    access.bucket.iam.testPermissions(BUCKET_PERMISSIONS),
  ]);
  const refusals = [
    database.status === 'rejected' ? firestoreRefusal(database.reason, access) : undefined,
    storage.status === 'rejected'
      ? bucketRefusal(storage.reason, access)
      : missingPermissions(storage.value[0], access),
  ].filter((refusal) => refusal !== undefined);
  if (refusals.length > 0) {
    const causes = [database, storage].flatMap((call) => (call.status === 'rejected' ? [call.reason] : []));
    // A refused key says the same of both.
    throw new WorkerError('environment_invalid', [...new Set(refusals)].join(' '), { cause: causes[0] });
  }
  for (const call of [database, storage]) if (call.status === 'rejected') throw call.reason;
}

function firestoreRefusal(thrown: unknown, { projectId, clientEmail }: FirebaseAccess): string | undefined {
  const { code, message } = thrownByGoogle.parse(thrown);
  if (code === GRPC.unauthenticated || KEY_REFUSED.test(message)) return keyRefused(clientEmail);
  if (code === GRPC.permissionDenied) {
    return /SERVICE_DISABLED|has not been used in project/.test(message)
      ? `Cloud Firestore is not turned on in project ${projectId}: create its database in the Firebase console.`
      : `${clientEmail} may not use Firestore of project ${projectId}: give it the role roles/datastore.user.`;
  }
  if (code === GRPC.notFound) {
    return `Project ${projectId} has no Firestore database: create it, or use the key of another project.`;
  }
  return undefined;
}

function bucketRefusal(thrown: unknown, access: FirebaseAccess): string | undefined {
  const { code, message } = thrownByGoogle.parse(thrown);
  if (code === 401 || KEY_REFUSED.test(message)) return keyRefused(access.clientEmail);
  if (code === 403) return missingPermissions({}, access);
  if (code === 404)
    return `There is no bucket ${access.bucket.name}: check FIREBASE_STORAGE_BUCKET.${otherProject(access)}`;
  return undefined;
}

function missingPermissions(held: Record<string, boolean>, access: FirebaseAccess): string | undefined {
  const missing = BUCKET_PERMISSIONS.filter((permission) => !held[permission]);
  if (missing.length === 0) return undefined;
  return `${access.clientEmail} lacks ${missing.join(', ')} on bucket ${access.bucket.name}: give it the role roles/storage.objectAdmin there.${otherProject(access)}`;
}

function keyRefused(clientEmail: string): string {
  return `Google refuses the key of ${clientEmail}: it was deleted or disabled, or this machine’s clock is wrong. Make a new key in the Firebase console.`;
}

/** A default bucket is named after its project; another one may be anywhere. */
function otherProject({ bucket, projectId }: FirebaseAccess): string {
  const [, owner] = /^(.+)\.(?:firebasestorage\.app|appspot\.com)$/.exec(bucket.name) ?? [];
  if (owner === undefined || owner === projectId) return '';
  return ` By its name it belongs to project ${owner}, but the key to project ${projectId}.`;
}
