/** One document as the store keeps it, and as messages carry it. */
import type { Document, Fields } from './messages.ts';
import { timestampFromMicros } from './timestamp.ts';

/** A document as stored. Shared and never changed: make a new one instead. */
export type StoredDocument = {
  name: string;
  fields: Fields;
  createMicros: number;
  updateMicros: number;
  /** The version of the commit that wrote it. */
  version: number;
};

/** The document as messages carry it. */
export function toMessage(document: StoredDocument): Document {
  return {
    name: document.name,
    fields: document.fields,
    createTime: timestampFromMicros(document.createMicros),
    updateTime: timestampFromMicros(document.updateMicros),
  };
}
