/** What the rules beside this file let clients do, in Firestore and Storage: that they are asked at all, and per operation. */
import { signInAnonymously } from 'firebase/auth';
import { collection, deleteDoc, doc, getDoc, getDocs, query, setDoc, where } from 'firebase/firestore';
import {
  deleteObject,
  getBytes,
  getMetadata,
  listAll,
  ref,
  uploadBytes,
  uploadBytesResumable,
} from 'firebase/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend, WebClient } from './backend.ts';

export function describeRules(backend: Backend): void {
  const { admin, run } = backend;
  let mine: WebClient;
  let stranger: WebClient;
  let nobody: WebClient;
  let uid: string;
  const denied = { code: 'permission-denied' };
  const unauthorized = { code: expect.stringMatching(/^storage\/unauth(orized|enticated)$/) };

  describe('rules', () => {
    beforeAll(async () => {
      [mine, stranger, nobody] = [backend.connect(), backend.connect(), backend.connect()];
      uid = (await signInAnonymously(mine.auth)).user.uid;
      await signInAnonymously(stranger.auth);
    });
    afterAll(() => admin.auth.deleteUsers([mine, stranger].map(({ auth }) => auth.currentUser?.uid ?? '')));

    test('in Firestore: the owner alone, and only what has the right shape', async () => {
      const note = (of: WebClient) => doc(of.firestore, `conformance/${run}/own/${uid}/notes/a`);
      await setDoc(note(mine), { text: 'mine', count: 1 });
      expect((await getDoc(note(mine))).data()).toEqual({ text: 'mine', count: 1 });
      for (const other of [stranger, nobody]) {
        await expect(getDoc(note(other))).rejects.toMatchObject(denied);
        await expect(setDoc(note(other), { text: 'theirs' })).rejects.toMatchObject(denied);
        await expect(deleteDoc(note(other))).rejects.toMatchObject(denied);
        await expect(
          getDocs(collection(other.firestore, `conformance/${run}/own/${uid}/notes`)),
        ).rejects.toMatchObject(denied);
      }
      await expect(setDoc(note(mine), { text: 7 })).rejects.toMatchObject(denied);
      await expect(setDoc(note(mine), { text: 'x', admin: true })).rejects.toMatchObject(denied);
      await expect(setDoc(doc(mine.firestore, `conformance/${run}/elsewhere/a`), {})).rejects.toMatchObject(
        denied,
      );
    });

    test('in Firestore: a list is allowed when all that it could give is', async () => {
      const shown = admin.firestore.collection(`conformance/${run}/shown`);
      await shown.doc('open').set({ public: true });
      await shown.doc('closed').set({ public: false });
      const list = collection(nobody.firestore, shown.path);
      expect((await getDoc(doc(list, 'closed'))).exists()).toBe(true);
      await expect(getDocs(list)).rejects.toMatchObject(denied);
      const allowed = await getDocs(query(list, where('public', '==', true)));
      expect(allowed.docs.map(({ id }) => id)).toEqual(['open']);
    });

    test('in Storage: the owner alone, up to a size', async () => {
      const file = (of: WebClient, name = 'a.txt') =>
        ref(of.storage, `conformance/${run}/own/${uid}/${name}`);
      await uploadBytes(file(mine), Buffer.from('mine'));
      for (const other of [stranger, nobody]) {
        for (const call of [
          () => getBytes(file(other)),
          () => getMetadata(file(other)),
          () => uploadBytes(file(other), Buffer.from('theirs')),
          () => deleteObject(file(other)),
          () => listAll(ref(other.storage, `conformance/${run}/own/${uid}`)),
        ]) {
          await expect(call()).rejects.toMatchObject(unauthorized);
        }
      }
      const tooLarge = new Uint8Array(3 * 1024 * 1024);
      await expect(uploadBytes(file(mine, 'large.bin'), tooLarge)).rejects.toMatchObject(unauthorized);
      await expect(uploadBytesResumable(file(mine, 'large.bin'), tooLarge).then()).rejects.toMatchObject(
        unauthorized,
      );
      expect(Buffer.from(await getBytes(file(mine))).toString()).toBe('mine');
    });

    test('in Storage: get without list', async () => {
      await admin.bucket.file(`conformance/${run}/shown/a.txt`).save('shown', { resumable: false });
      expect(
        Buffer.from(await getBytes(ref(nobody.storage, `conformance/${run}/shown/a.txt`))).toString(),
      ).toBe('shown');
      await expect(listAll(ref(nobody.storage, `conformance/${run}/shown`))).rejects.toMatchObject(
        unauthorized,
      );
    });
  });
}
