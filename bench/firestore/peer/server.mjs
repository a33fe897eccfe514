/** `@firestore-emulator/server` as a program: `server.mjs <folder> <port>` prints its port when it can be asked. It keeps nothing on disk. */
import { FirestoreServer } from '@firestore-emulator/server';

const port = Number(process.argv[3]);
await new FirestoreServer().start(port);
console.log(`ready ${port}`);
