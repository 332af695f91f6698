/**
 * The slow half of reading a write request: series that the kernel does not know by their bytes. Labels are parsed,
 * validated as Prometheus does (storage/remote/write_handler.go, UTF-8 names) and brought into canonical form.
 */
import { compareBytes, decodeUtf8, isValidUtf8 } from '../../lib/utf8.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';

const NAME = new TextEncoder().encode('__name__');

/** Labels in canonical order as name, value, …; or why Prometheus refuses them. */
export type ParsedLabels =
  | { readonly labels: readonly Uint8Array[]; readonly problem?: undefined }
  | { readonly problem: string };

/**
 * Parses repeated field-1 messages (labels) and puts them in canonical form: sorted by name, empty values dropped.
 * The parts are views into `bytes`.
 * @throws ShortBytesError for what is no Label message.
 */
export function parseLabels(bytes: Uint8Array): ParsedLabels {
  const labels: Uint8Array[] = [];
  const cursor: ByteCursor = { bytes, pos: 0, end: bytes.length };
  while (cursor.pos < cursor.end) readLabel(cursor, labels);
  return checkLabels(sortLabels(labels));
}

/** Reads one field-1 message with its tag and appends name and value. */
function readLabel(cursor: ByteCursor, labels: Uint8Array[]): void {
  const { bytes } = cursor;
  cursor.pos++;
  const length = readUvarint(cursor);
  const end = cursor.pos + length;
  if (end > cursor.end) throw new ShortBytesError();
  let name = bytes.subarray(0, 0);
  let value = name;
  const inner: ByteCursor = { bytes, pos: cursor.pos, end };
  while (inner.pos < end) {
    const tag = readTag(inner);
    const start = skipField(inner, tag & 7);
    if (tag === 0x0a) name = bytes.subarray(start, inner.pos);
    else if (tag === 0x12) value = bytes.subarray(start, inner.pos);
  }
  cursor.pos = end;
  labels.push(name, value);
}

/** Name, value, … sorted by name, without the pairs whose value is empty. */
function sortLabels(labels: Uint8Array[]): Uint8Array[] {
  let sorted = true;
  for (let i = 0; i < labels.length; i += 2) {
    const before = labels[i - 2];
    if ((labels[i + 1] as Uint8Array).length === 0) sorted = false;
    if (before !== undefined && compareBytes(before, labels[i] as Uint8Array) > 0) sorted = false;
  }
  if (sorted) return labels;
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const value = labels[i + 1] as Uint8Array;
    if (value.length > 0) pairs.push([labels[i] as Uint8Array, value]);
  }
  return pairs.sort((a, b) => compareBytes(a[0], b[0])).flat();
}

function checkLabels(labels: readonly Uint8Array[]): ParsedLabels {
  let named = false;
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as Uint8Array;
    const before = labels[i - 2];
    if (name.length === 0) return { problem: 'empty label name' };
    if (before !== undefined && compareBytes(before, name) === 0) {
      return { problem: `duplicate label name "${decodeUtf8(name)}"` };
    }
    if (!isValidUtf8(name)) return { problem: 'label name is not UTF-8' };
    if (!isValidUtf8(labels[i + 1] as Uint8Array)) {
      return { problem: `value of label "${decodeUtf8(name)}" is not UTF-8` };
    }
    if (compareBytes(name, NAME) === 0) named = true;
  }
  return named ? { labels } : { problem: 'no metric name' };
}

/** A TimeSeries message taken apart: its label messages put together, and where each Sample message's content lies. */
export interface TimeSeriesParts {
  /** Field-1 messages with their tags, in order. */
  readonly labels: Uint8Array;
  /** 16 bytes a sample: time (i64) and value bits (u64), little-endian. */
  readonly samples: Uint8Array;
  /** How many of each there were. */
  readonly exemplars: number;
  readonly histograms: number;
}

/**
 * Takes a TimeSeries message apart whatever the order of its fields.
 * @throws ShortBytesError for what is no such message.
 */
export function splitTimeSeries(message: Uint8Array): TimeSeriesParts {
  const labels: Uint8Array[] = [];
  const samples: Uint8Array[] = [];
  let exemplars = 0;
  let histograms = 0;
  const cursor: ByteCursor = { bytes: message, pos: 0, end: message.length };
  while (cursor.pos < cursor.end) {
    const start = cursor.pos;
    const tag = readTag(cursor);
    const content = skipField(cursor, tag & 7);
    if (tag === 0x0a) labels.push(message.slice(start, cursor.pos));
    else if (tag === 0x12) samples.push(readSample(message, content, cursor.pos));
    else if (tag === 0x1a) exemplars++;
    else if (tag === 0x22) histograms++;
  }
  return { labels: Buffer.concat(labels), samples: Buffer.concat(samples), exemplars, histograms };
}

/** Reads a field's number and wire type. There is no field 0. */
function readTag(cursor: ByteCursor): number {
  const tag = readUvarint(cursor);
  if (tag < 8) throw new ShortBytesError();
  return tag;
}

/** Moves past a field's content and answers where it begins. */
function skipField(cursor: ByteCursor, wireType: number): number {
  if (wireType === 0) {
    const start = cursor.pos;
    readUvarint(cursor);
    return start;
  }
  if (wireType !== 1 && wireType !== 2 && wireType !== 5) throw new ShortBytesError();
  const size = wireType === 1 ? 8 : wireType === 5 ? 4 : readUvarint(cursor);
  const start = cursor.pos;
  if (size > cursor.end - start) throw new ShortBytesError();
  cursor.pos += size;
  return start;
}

function readSample(bytes: Uint8Array, from: number, end: number): Uint8Array {
  const out = new Uint8Array(16);
  const cursor: ByteCursor = { bytes, pos: from, end };
  while (cursor.pos < end) {
    const tag = readTag(cursor);
    const start = skipField(cursor, tag & 7);
    if (tag === 0x09) out.set(bytes.subarray(start, start + 8), 8);
    else if (tag === 0x10) writeVarintAsI64(bytes, start, cursor.pos, out);
  }
  return out;
}

/** Rebuilds the 64 bits of a varint in little-endian bytes. */
function writeVarintAsI64(bytes: Uint8Array, start: number, end: number, out: Uint8Array): void {
  let bit = 0;
  for (let i = start; i < end; i++) {
    const septet = (bytes[i] as number) & 0x7f;
    for (let k = 0; k < 7 && bit < 64; k++, bit++) {
      if ((septet >> k) & 1) out[bit >> 3] = (out[bit >> 3] as number) | (1 << (bit & 7));
    }
  }
}
