/** The addresses of what a request starts from: each file is uploaded once, however often it is sent. */
import { createMaskFile } from './mask-file.ts';
import type { SourceAddresses } from './request-draft.ts';
import type { PictureMask, StartPicture } from './start-picture.ts';

export interface SourceUploads {
  /** Uploads what has no address yet. A request that is sent again has the same ones and so is the same request. */
  addressesOf(picture: StartPicture, mask: PictureMask | null): Promise<SourceAddresses>;
}

export function createSourceUploads(upload: (picture: Blob) => Promise<string>): SourceUploads {
  const addresses = new WeakMap<object, string>();
  async function addressOf(key: object, file: () => Blob | Promise<Blob>): Promise<string> {
    const address = addresses.get(key) ?? (await upload(await file()));
    addresses.set(key, address);
    return address;
  }
  return {
    async addressesOf(picture, mask) {
      // The mask first: one that is empty is refused before a large picture has travelled.
      const mask_url = mask === null ? undefined : await addressOf(mask, () => createMaskFile(mask));
      const { file, url } = picture;
      const image_url = file === null ? url : await addressOf(picture, () => file);
      return mask_url === undefined ? { image_url } : { image_url, mask_url };
    },
  };
}
