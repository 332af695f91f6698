/** Reads Exemplar and MetricMetadata messages of remote write (prompb/types.proto). */
import { ShortBytesError, readInt64, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { Span } from './walk-request.ts';

/** An exemplar as it was sent; `value` is where its 8 little-endian bytes begin, -1 when it is 0. */
export interface ExemplarMessage {
  /** Name, value, … in the order sent; views of the request. */
  readonly labels: readonly Uint8Array[];
  readonly valueAt: number;
  readonly t: number;
}

/** Reads an Exemplar. @throws ShortBytesError for what is none. */
export function readExemplar(bytes: Uint8Array, { from, end }: Span): ExemplarMessage {
  const labels: Uint8Array[] = [];
  let valueAt = -1;
  let t = 0;
  eachField(bytes, from, end, (field, wire, cursor) => {
    if (field === 1 && wire === 2) {
      const [name, value] = readTexts(bytes, spanOf(cursor));
      labels.push(name, value);
    } else if (field === 2 && wire === 1) {
      valueAt = cursor.pos;
      cursor.pos += 8;
    } else if (field === 3 && wire === 0) t = readInt64(cursor);
    else skip(cursor, wire);
  });
  return { labels, valueAt, t };
}

/** Metadata of a metric family; `type` as METRIC_TYPES numbers it. */
export interface MetadataMessage {
  readonly type: number;
  readonly family: Uint8Array;
  readonly help: Uint8Array;
  readonly unit: Uint8Array;
}

/** The names of MetricMetadata.MetricType by number, as the API shows them. */
export const METRIC_TYPES: readonly string[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/** Reads a MetricMetadata. @throws ShortBytesError for what is none. */
export function readMetadata(bytes: Uint8Array, { from, end }: Span): MetadataMessage {
  let type = 0;
  const none = bytes.subarray(0, 0);
  const texts: Uint8Array[] = [];
  eachField(bytes, from, end, (field, wire, cursor) => {
    if (field === 1 && wire === 0) type = readUvarint(cursor);
    else if (wire === 2) {
      const span = spanOf(cursor);
      texts[field] = bytes.subarray(span.from, span.end);
    } else skip(cursor, wire);
  });
  return { type, family: texts[2] ?? none, help: texts[4] ?? none, unit: texts[5] ?? none };
}

/** Fields 1 and 2 of a message of texts. */
function readTexts(bytes: Uint8Array, { from, end }: Span): [Uint8Array, Uint8Array] {
  const texts: [Uint8Array, Uint8Array] = [bytes.subarray(0, 0), bytes.subarray(0, 0)];
  eachField(bytes, from, end, (field, wire, cursor) => {
    if (wire !== 2) return skip(cursor, wire);
    const span = spanOf(cursor);
    if (field === 1 || field === 2) texts[field - 1] = bytes.subarray(span.from, span.end);
  });
  return texts;
}

function eachField(
  bytes: Uint8Array,
  from: number,
  end: number,
  visit: (field: number, wire: number, cursor: ByteCursor) => void,
): void {
  const cursor: ByteCursor = { bytes, pos: from, end };
  while (cursor.pos < end) {
    const tag = readUvarint(cursor);
    if (tag < 8) throw new ShortBytesError();
    visit(tag >>> 3, tag & 7, cursor);
    if (cursor.pos > end) throw new ShortBytesError();
  }
}

/** The content of a length-delimited field; the cursor moves behind it. */
function spanOf(cursor: ByteCursor): Span {
  const length = readUvarint(cursor);
  const from = cursor.pos;
  if (length > cursor.end - from) throw new ShortBytesError();
  cursor.pos = from + length;
  return { from, end: cursor.pos };
}

function skip(cursor: ByteCursor, wire: number): void {
  if (wire === 0) readUvarint(cursor);
  else if (wire === 1) cursor.pos += 8;
  else if (wire === 5) cursor.pos += 4;
  else if (wire === 2) spanOf(cursor);
  else throw new ShortBytesError();
}
