/** Uploads the pictures that a generation starts from into the user's own folder of Storage. */
import { OUTPUT_FORMATS, SOURCE_MAX_BYTES, sourceObjectName } from '@firepod/contract';
import type { Auth } from 'firebase/auth';
import { getStorage, ref, uploadBytes } from 'firebase/storage';
import { FirepodError, type FirepodErrorCode } from './errors.ts';

const TYPES = OUTPUT_FORMATS.map((format) => `image/${format}`);

const CODES: Readonly<Record<string, FirepodErrorCode>> = {
  'storage/unauthenticated': 'signed_out',
  'storage/unauthorized': 'permission_denied',
  'storage/canceled': 'aborted',
};

/**
 * Resolves with the `gs://` address for `image_url` or `mask_url`.
 * @param picture with its media type: a file from a form has it
 */
export async function uploadSource(auth: Auth, picture: Blob): Promise<string> {
  const { currentUser } = auth;
  if (currentUser === null) throw new FirepodError('signed_out');
  if (!TYPES.includes(picture.type)) {
    const type = picture.type === '' ? 'no media type' : picture.type;
    throw new FirepodError('invalid_argument', `The picture has ${type}; expected ${TYPES.join(', ')}.`);
  }
  if (picture.size > SOURCE_MAX_BYTES) {
    const message = `The picture has ${picture.size} bytes; expected at most ${SOURCE_MAX_BYTES}.`;
    throw new FirepodError('invalid_argument', message);
  }
  // Not crypto.randomUUID, which plain http on a network address does not have.
  const random = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) =>
    byte.toString(16).padStart(2, '0'),
  );
  const name = `${random.join('')}.${picture.type.replace('image/', '')}`;
  const object = ref(getStorage(auth.app), sourceObjectName(currentUser.uid, name));
  try {
    // Bytes and not the Blob: the SDK's build for Node takes no other.
    await uploadBytes(object, new Uint8Array(await picture.arrayBuffer()), { contentType: picture.type });
  } catch (cause) {
    const code = CODES[String((cause as { code?: unknown }).code)] ?? 'unavailable';
    throw new FirepodError(code, '', { cause });
  }
  return object.toString();
}
