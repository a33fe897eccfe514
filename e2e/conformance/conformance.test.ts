import { afterAll, describe } from 'vitest';
import { describeAuth } from './auth-suite.ts';
import { openBackend } from './backend.ts';
import { describeFirestore } from './firestore-suite.ts';
import { describeRules } from './rules-suite.ts';
import { describeStorage } from './storage-suite.ts';
import { findSurroundings } from './surroundings.ts';

const backend = openBackend(await findSurroundings(process.env));

describe(`conformance of ${backend.name}`, () => {
  afterAll(() => backend.close());
  describeAuth(backend);
  describeFirestore(backend);
  describeStorage(backend);
  describeRules(backend);
});
