/** A store as a text file and back: one JSON document a line, in the form of the REST API, readable and diffable. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Database from 'libsql';
import { LocalFirebaseError } from '../errors.ts';
import type { Document, Fields } from './messages.ts';
import { parseDocumentName } from './path.ts';
import { decodeMessage, messageFromJson, messageToJson, stringifyJson } from './protos.ts';
import { openStore } from './store.ts';
import { type StoredDocument, toMessage } from './stored-document.ts';
import { microsFromTimestamp } from './timestamp.ts';
import { checkedFields } from './values.ts';

/** The first line: what this is. */
const HEADER = { format: 'firepod-firestore-export', version: 1 };
const DOCUMENTS_PER_COMMIT = 500;

/** Where the store and its export are. */
export type ExportFiles = { databaseFile: string; exportFile: string };

/**
 * Writes every document of the store, all as they were at one moment; a server may go on using it. The export appears
 * when it is whole.
 *
 * @returns How many documents there are.
 * @throws LocalFirebaseError `data_unreadable` when the store cannot be read.
 */
export async function exportStore({ databaseFile, exportFile }: ExportFiles): Promise<{ documents: number }> {
  const database = openReadOnly(databaseFile);
  const partFile = `${exportFile}.part`;
  let documents = 0;
  function* lines(): Generator<string> {
    yield `${JSON.stringify(HEADER)}\n`;
    const rows = database
      .prepare('SELECT name, fields, create_micros, update_micros, version FROM documents ORDER BY name')
      .raw()
      .iterate() as Iterable<[Buffer, Buffer, number, number, number]>;
    for (const [name, bytes, createMicros, updateMicros, version] of rows) {
      const { fields = {} } = decodeMessage('MapValue', bytes) as { fields?: Fields };
      const document = { name: name.toString(), fields, createMicros, updateMicros, version };
      documents++;
      yield `${stringifyJson(messageToJson('Document', toMessage(document)))}\n`;
    }
  }
  try {
    await mkdir(dirname(exportFile), { recursive: true });
    await pipeline(Readable.from(lines()), createWriteStream(partFile));
    await rename(partFile, exportFile);
    return { documents };
  } catch (error) {
    await rm(partFile, { force: true });
    throw error;
  } finally {
    database.close();
  }
}

/**
 * Puts the documents of an export into a store, made on demand, over those of the same names; they keep their times. No
 * server may be using the store.
 *
 * @returns How many documents were put.
 * @throws LocalFirebaseError `data_unreadable` with the number of the line that is no document.
 */
export async function importStore({ databaseFile, exportFile }: ExportFiles): Promise<{ documents: number }> {
  const store = openStore(databaseFile);
  const batch = new Map<string, StoredDocument>();
  let lineNumber = 0;
  let documents = 0;

  function flush(): void {
    if (batch.size === 0) return;
    const version = store.version() + 1;
    const newest = Math.max(...[...batch.values()].map(({ updateMicros }) => updateMicros));
    const versioned = new Map([...batch].map(([name, document]) => [name, { ...document, version }]));
    store.commit(versioned, version, Math.max(store.commitMicros() + 1, newest));
    documents += batch.size;
    batch.clear();
  }

  try {
    const lines = createInterface({
      input: createReadStream(exportFile),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) {
      lineNumber++;
      try {
        if (lineNumber === 1) checkHeader(line);
        else if (line !== '') {
          const document = parseLine(line);
          batch.set(document.name, document);
        }
      } catch (cause) {
        const reason = (cause as Error).message;
        throw new LocalFirebaseError(
          'data_unreadable',
          `Line ${lineNumber} of ${exportFile} is not part of an export: ${reason}`,
          { cause },
        );
      }
      if (batch.size >= DOCUMENTS_PER_COMMIT) flush();
    }
    flush();
    return { documents };
  } finally {
    store.close();
  }
}

function checkHeader(line: string): void {
  const { format, version } = JSON.parse(line) as Partial<typeof HEADER>;
  if (format === HEADER.format && version === HEADER.version) return;
  throw new Error(`expected ${JSON.stringify(HEADER)}, found ${line.slice(0, 100)}`);
}

function parseLine(line: string): StoredDocument {
  const { name, fields, createTime, updateTime } = messageFromJson('Document', JSON.parse(line)) as Document;
  parseDocumentName(name);
  return {
    name,
    fields: checkedFields(fields ?? {}),
    createMicros: microsFromTimestamp(createTime ?? {}),
    updateMicros: microsFromTimestamp(updateTime ?? {}),
    version: 0,
  };
}

function openReadOnly(file: string): Database.Database {
  let database: Database.Database | undefined;
  try {
    if (!existsSync(file)) throw new Error('there is no such file');
    database = new Database(file, { readonly: true });
    // A file that is no store shows at its first statement.
    database.prepare('SELECT name FROM documents LIMIT 1');
    return database;
  } catch (cause) {
    database?.close();
    const reason = (cause as Error).message;
    throw new LocalFirebaseError('data_unreadable', `Cannot read the store ${file}: ${reason}.`, { cause });
  }
}
