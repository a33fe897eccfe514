/** Our Firestore as a program: `local-firestore.mjs <folder>` prints its port when it can be asked. */
import { join } from 'node:path';
import { startFirestore } from '@firepod/local-firebase';

const server = await startFirestore({
  projectId: 'demo-bench',
  databaseFile: join(process.argv[2], 'firestore.db'),
  rules: {
    text: `rules_version = '2';
      service cloud.firestore { match /databases/{d}/documents { match /bench/{id} { allow read; } } }`,
  },
});
console.log(`ready ${server.port}`);
