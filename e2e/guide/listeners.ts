/** The front end of the integration guide: its two listeners, which report what the guide logs. */
import type { User } from 'firebase/auth';
import { collection, type DocumentData, type Firestore, onSnapshot } from 'firebase/firestore';

interface Heard {
  /** Calls of the guide's "ready" branch: `[file_uid, image_urls | video_url]`. */
  ready: [string, unknown][];
  /** Every distinct state seen of each document, oldest first. */
  states: Map<string, DocumentData[]>;
}

/** Listens as the guide does; `stop` ends both listeners. */
export function listenAsTheGuideDoes(db: Firestore, user: User, onError: (error: Error) => void) {
  const heard: Heard = { ready: [], states: new Map() };
  const remember = (id: string, data: DocumentData) => {
    const states = heard.states.get(id) ?? [];
    states.push(data);
    heard.states.set(id, states);
  };

  const videosRef = collection(db, 'generations', user.uid, 'videos');
  const stopVideos = onSnapshot(
    videosRef,
    (snapshot) => {
      snapshot.docChanges().forEach((change) => {
        remember(change.doc.id, change.doc.data());
        if (change.type === 'modified') {
          const data = change.doc.data();
          if (data['generated'] && data['status'] === 'completed') {
            heard.ready.push([change.doc.id, data['generation_data'].video_url]);
          }
        }
      });
    },
    onError,
  );

  const imagesRef = collection(db, 'generations', user.uid, 'images');
  const stopImages = onSnapshot(
    imagesRef,
    (snapshot) => {
      snapshot.docChanges().forEach((change) => {
        remember(change.doc.id, change.doc.data());
        if (change.type === 'modified') {
          const data = change.doc.data();
          if (data['generated'] && data['status'] === 'completed') {
            heard.ready.push([change.doc.id, data['generation_data'].image_urls]);
          }
        }
      });
    },
    onError,
  );

  return {
    heard,
    stop() {
      stopVideos();
      stopImages();
    },
  };
}
