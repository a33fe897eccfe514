/** Values and names as bytes whose order is Firestore's order, so that a b-tree of bytes is an index. */
import type { LatLng, Timestamp, Value } from '../messages.ts';
import { typeOrder } from '../order.ts';
import { compareUtf8, numericIdOf } from '../path.ts';
import { kindOf, vectorValues } from '../values.ts';

/**
 * Longer values are cut in an index, as in the cloud (https://firebase.google.com/docs/firestore/quotas#indexes). Whoever
 * reads such an index must look at the documents to tell cut values apart.
 */
export const MAX_INDEXED_VALUE_BYTES = 1500;

/** Ends every list of parts: less than anything that can begin a part. */
const END = 0x00;
const PART = 0x01;
const NUMERIC_SEGMENT = 0x01;
const TEXT_SEGMENT = 0x02;
/** Type bytes leave room below for END. */
const FIRST_TYPE = 0x10;
const INT64_BIAS = 1n << 63n;

/** Bytes that grow; writing in one piece avoids a Buffer per part. */
class ByteWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(capacity = 64) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** Makes room and returns where to write. */
  private claim(count: number): number {
    const start = this.length;
    if (start + count > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, start + count));
      this.buffer.copy(larger, 0, 0, start);
      this.buffer = larger;
    }
    this.length += count;
    return start;
  }

  byte(value: number): void {
    const at = this.claim(1);
    this.buffer[at] = value;
  }

  /** NUL is escaped, so that the two bytes of the end come before every continuation. */
  text(bytes: Buffer): void {
    const hasNul = bytes.includes(0);
    if (!hasNul) {
      const at = this.claim(bytes.length);
      bytes.copy(this.buffer, at);
    } else {
      for (const each of bytes) {
        this.byte(each);
        if (each === 0) this.byte(0xff);
      }
    }
    this.byte(0x00);
    this.byte(0x01);
  }

  uint16(value: number): void {
    const at = this.claim(2);
    this.buffer.writeUInt16BE(value, at);
  }

  uint32(value: number): void {
    const at = this.claim(4);
    this.buffer.writeUInt32BE(value, at);
  }

  int64(value: bigint): void {
    const at = this.claim(8);
    this.buffer.writeBigUInt64BE(BigInt.asUintN(64, value + INT64_BIAS), at);
  }

  /** NaN first, then by size; the two zeros are one. */
  double(value: number): void {
    const at = this.claim(8);
    const { buffer } = this;
    if (Number.isNaN(value)) {
      buffer.fill(0, at, at + 8);
      return;
    }
    buffer.writeDoubleBE(value === 0 ? 0 : value, at);
    if (buffer[at]! >= 0x80) for (let index = at; index < at + 8; index++) buffer[index]! ^= 0xff;
    else buffer[at]! |= 0x80;
  }

  result(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}

/** A value as ordered bytes. No encoding is the beginning of another one's, unless one of them was cut. */
export function encodeValue(value: Value): Buffer {
  const writer = new ByteWriter();
  writeValue(writer, value);
  return writer.result();
}

/** The first byte of every value of the type. */
export function typeByteOf(value: Value): number {
  return FIRST_TYPE + typeOrder(value);
}

/** Path segments as ordered bytes, in the order of `compareNames`. */
export function encodeSegments(segments: readonly string[]): Buffer {
  const writer = new ByteWriter();
  writeSegments(writer, segments);
  return writer.result();
}

/** The same order backwards. */
export function inverted(bytes: Buffer): Buffer {
  const result = Buffer.allocUnsafe(bytes.length);
  for (let index = 0; index < bytes.length; index++) result[index] = bytes[index]! ^ 0xff;
  return result;
}

/** The smallest key after all keys that begin with the given one. */
export function afterAllWith(prefix: Buffer): Buffer {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]);
  const result = Buffer.from(prefix.subarray(0, end));
  result[end - 1]!++;
  return result;
}

function writeValue(writer: ByteWriter, value: Value): void {
  writer.byte(typeByteOf(value));
  const vector = vectorValues(value);
  if (vector !== undefined) {
    writer.uint32(vector.length);
    for (const element of vector) writeValue(writer, element);
    return;
  }
  const kind = kindOf(value);
  const payload = (value as Record<string, unknown>)[kind];
  switch (kind) {
    case 'nullValue':
      return;
    case 'booleanValue':
      writer.byte(payload === true ? 1 : 0);
      return;
    case 'integerValue':
      writeInteger(writer, payload as string);
      return;
    case 'doubleValue':
      writer.double(payload as number);
      writer.uint16(0);
      return;
    case 'timestampValue': {
      const { seconds = '0', nanos = 0 } = payload as Timestamp;
      writer.int64(BigInt(seconds));
      writer.uint32(nanos);
      return;
    }
    case 'stringValue':
      writer.text(Buffer.from(payload as string));
      return;
    case 'bytesValue':
      writer.text(payload as Buffer);
      return;
    case 'referenceValue':
      writeSegments(writer, (payload as string).split('/'));
      return;
    case 'geoPointValue': {
      const { latitude = 0, longitude = 0 } = payload as LatLng;
      writer.double(latitude);
      writer.double(longitude);
      return;
    }
    case 'arrayValue':
      for (const element of (payload as { values?: Value[] }).values ?? []) writeValue(writer, element);
      writer.byte(END);
      return;
    case 'mapValue': {
      const fields = (payload as { fields?: Record<string, Value> }).fields ?? {};
      for (const name of Object.keys(fields).sort(compareUtf8)) {
        writer.byte(PART);
        writer.text(Buffer.from(name));
        writeValue(writer, fields[name]!);
      }
      writer.byte(END);
    }
  }
}

/**
 * A number is the greatest double that is not above it, and what is left: integers beyond 2^53 are told apart, and those
 * that are doubles equal them. The rest stays below 1024, the distance of doubles near 2^63.
 */
function writeInteger(writer: ByteWriter, decimal: string): void {
  const double = Number(decimal);
  if (Number.isSafeInteger(double)) {
    writer.double(double);
    writer.uint16(0);
    return;
  }
  const exact = BigInt(decimal);
  const floor = BigInt(double) <= exact ? double : previousDouble(double);
  writer.double(floor);
  writer.uint16(Number(exact - BigInt(floor)));
}

/** For whole doubles beyond 2^53, which are never zero. */
function previousDouble(value: number): number {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleBE(value);
  bytes.writeBigInt64BE(bytes.readBigInt64BE() + (value > 0 ? -1n : 1n));
  return bytes.readDoubleBE();
}

function writeSegments(writer: ByteWriter, segments: readonly string[]): void {
  for (const segment of segments) {
    const numericId = numericIdOf(segment);
    if (numericId === undefined) writer.byte(TEXT_SEGMENT);
    else {
      writer.byte(NUMERIC_SEGMENT);
      writer.int64(numericId);
    }
    writer.text(Buffer.from(segment));
  }
  writer.byte(END);
}
