/** Reads Histogram messages of remote write (prompb/types.proto; 2.0 has the same fields) into columns. */
import { ShortBytesError, readInt64, readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { countBuckets, equalLayouts } from '../../model/histogram.ts';
import type { HistogramColumns, HistogramLayout } from '../../model/histogram.ts';
import { bucketsMismatch, histogramProblem } from '../../model/validate-histogram.ts';

/** limit: buckets of one histogram: far above what any schema brings, far below what a lie could ask for. */
const BUCKETS_MAX = 1 << 16;

/** A message's fields as they come; reused. */
class Fields {
  schema = 0;
  zeroThreshold = 0;
  isFloat = false;
  count = 0;
  zeroCount = 0;
  zeroCountFloat = 0;
  hint = 0;
  t = 0;
  /** Where the 8 bytes of the sum begin; -1: it is 0. */
  sumAt = -1;
  readonly positiveSpans: number[] = [];
  readonly negativeSpans: number[] = [];
  readonly positiveDeltas: number[] = [];
  readonly negativeDeltas: number[] = [];
  readonly positiveCounts: number[] = [];
  readonly negativeCounts: number[] = [];
  readonly customValues: number[] = [];

  clear(): void {
    this.schema = this.zeroThreshold = this.count = this.zeroCount = 0;
    this.zeroCountFloat = this.hint = this.t = 0;
    this.isFloat = false;
    this.sumAt = -1;
    for (const list of [
      this.positiveSpans,
      this.negativeSpans,
      this.positiveDeltas,
      this.negativeDeltas,
      this.positiveCounts,
      this.negativeCounts,
      this.customValues,
    ]) {
      list.length = 0;
    }
  }
}

/** Reads messages; keeps the last layout, because neighbours share it mostly. */
export class HistogramMessages {
  readonly #fields = new Fields();
  #layout: HistogramLayout | undefined;

  /**
   * Appends the message bytes[from..end] to columns.
   * @returns why Prometheus refuses it ('' when it does not); refused ones are not appended.
   * @throws ShortBytesError for what is no such message.
   */
  read(bytes: Uint8Array, from: number, end: number, into: HistogramColumns): string {
    const fields = this.#fields;
    fields.clear();
    const cursor: ByteCursor = { bytes, pos: from, end };
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    while (cursor.pos < end) readField(cursor, view, fields);
    const positive = fields.isFloat ? fields.positiveCounts : fields.positiveDeltas;
    const negative = fields.isFloat ? fields.negativeCounts : fields.negativeDeltas;
    const layout = this.#layoutOf(fields);
    if (layout.positiveCount !== positive.length)
      return bucketsMismatch('positive side', layout.positiveCount, positive.length);
    if (layout.negativeCount !== negative.length)
      return bucketsMismatch('negative side', layout.negativeCount, negative.length);
    const marks = { length: into.length, buckets: into.bucketsLength };
    const i = into.add(layout);
    into.t[i] = fields.t;
    into.count[i] = fields.count;
    into.zeroCount[i] = fields.isFloat ? fields.zeroCountFloat : fields.zeroCount;
    into.hint[i] = fields.hint;
    into.isFloat[i] = fields.isFloat ? 1 : 0;
    const sum = new Uint8Array(into.sum.buffer, i * 8, 8);
    if (fields.sumAt < 0) sum.fill(0);
    // By bytes: a stale marker may change in a number variable.
    else sum.set(bytes.subarray(fields.sumAt, fields.sumAt + 8));
    const start = into.start[i] as number;
    putBuckets(into.buckets, start, positive, fields.isFloat);
    putBuckets(into.buckets, start + positive.length, negative, fields.isFloat);
    const problem = histogramProblem(into, i);
    if (problem !== '') {
      into.length = marks.length;
      into.bucketsLength = marks.buckets;
    }
    return problem;
  }

  #layoutOf(fields: Fields): HistogramLayout {
    const positiveSpans = Int32Array.from(fields.positiveSpans);
    const negativeSpans = Int32Array.from(fields.negativeSpans);
    const layout: HistogramLayout = {
      schema: fields.schema,
      zeroThreshold: fields.zeroThreshold,
      positiveSpans,
      negativeSpans,
      customValues: Float64Array.from(fields.customValues),
      positiveCount: countBuckets(positiveSpans),
      negativeCount: countBuckets(negativeSpans),
    };
    const last = this.#layout;
    if (last !== undefined && equalLayouts(last, layout)) return last;
    this.#layout = layout;
    return layout;
  }
}

function putBuckets(
  out: Float64Array,
  from: number,
  values: readonly number[],
  absolute: boolean,
): void {
  let count = 0;
  for (const [k, value] of values.entries()) {
    count = absolute ? value : count + value;
    out[from + k] = count;
  }
}

/** Field numbers of a Histogram message. */
function readField(cursor: ByteCursor, view: DataView, fields: Fields): void {
  const tag = readUvarint(cursor);
  if (tag < 8) throw new ShortBytesError();
  const wire = tag & 7;
  switch (tag >>> 3) {
    case 1:
      fields.count = uint(cursor, wire);
      return;
    case 2:
      fields.isFloat = true;
      fields.count = double(cursor, view, wire);
      return;
    case 3:
      fields.sumAt = skip(cursor, wire);
      if (wire !== 1) throw new ShortBytesError();
      return;
    case 4:
      fields.schema = zigzag(cursor, wire) | 0;
      return;
    case 5:
      fields.zeroThreshold = double(cursor, view, wire);
      return;
    case 6:
      fields.zeroCount = uint(cursor, wire);
      return;
    case 7:
      fields.zeroCountFloat = double(cursor, view, wire);
      return;
    case 8:
      return readSpan(cursor, wire, fields.negativeSpans);
    case 9:
      return readPacked(cursor, wire, 0, () => fields.negativeDeltas.push(readVarint(cursor)));
    case 10:
      return readPacked(cursor, wire, 1, () => fields.negativeCounts.push(next8(cursor, view)));
    case 11:
      return readSpan(cursor, wire, fields.positiveSpans);
    case 12:
      return readPacked(cursor, wire, 0, () => fields.positiveDeltas.push(readVarint(cursor)));
    case 13:
      return readPacked(cursor, wire, 1, () => fields.positiveCounts.push(next8(cursor, view)));
    case 14:
      fields.hint = Math.min(uint(cursor, wire), 3);
      return;
    case 15:
      fields.t = int64(cursor, wire);
      return;
    case 16:
      return readPacked(cursor, wire, 1, () => fields.customValues.push(next8(cursor, view)));
    default:
      skip(cursor, wire);
  }
}

function readSpan(cursor: ByteCursor, wire: number, out: number[]): void {
  if (wire !== 2 || out.length > BUCKETS_MAX) throw new ShortBytesError();
  const end = endOf(cursor);
  const outer = cursor.end;
  let offset = 0;
  let length = 0;
  const inner: ByteCursor = { bytes: cursor.bytes, pos: cursor.pos, end };
  while (inner.pos < end) {
    const tag = readUvarint(inner);
    if (tag < 8) throw new ShortBytesError();
    if (tag >>> 3 === 1) offset = zigzag(inner, tag & 7) | 0;
    else if (tag >>> 3 === 2) length = uint(inner, tag & 7);
    else skip(inner, tag & 7);
  }
  if (length > BUCKETS_MAX || end > outer) throw new ShortBytesError();
  cursor.pos = end;
  out.push(offset, length);
}

/** Reads a repeated number, packed or one by one. */
function readPacked(cursor: ByteCursor, wire: number, single: number, read: () => void): void {
  if (wire === single) return read();
  if (wire !== 2) throw new ShortBytesError();
  const end = endOf(cursor);
  while (cursor.pos < end) read();
  if (cursor.pos !== end) throw new ShortBytesError();
}

/** Where the bytes of a length-delimited field end; the cursor stands at their beginning. */
function endOf(cursor: ByteCursor): number {
  const length = readUvarint(cursor);
  if (length > cursor.end - cursor.pos) throw new ShortBytesError();
  return cursor.pos + length;
}

function uint(cursor: ByteCursor, wire: number): number {
  if (wire !== 0) throw new ShortBytesError();
  return readUvarint(cursor);
}

function zigzag(cursor: ByteCursor, wire: number): number {
  if (wire !== 0) throw new ShortBytesError();
  return readVarint(cursor);
}

function int64(cursor: ByteCursor, wire: number): number {
  if (wire !== 0) throw new ShortBytesError();
  return readInt64(cursor);
}

function double(cursor: ByteCursor, view: DataView, wire: number): number {
  if (wire !== 1) throw new ShortBytesError();
  return next8(cursor, view);
}

function next8(cursor: ByteCursor, view: DataView): number {
  if (cursor.end - cursor.pos < 8) throw new ShortBytesError();
  const value = view.getFloat64(cursor.pos, true);
  cursor.pos += 8;
  return value;
}

/** Moves past a field's content and answers where it begins. */
function skip(cursor: ByteCursor, wire: number): number {
  if (wire === 0) {
    const start = cursor.pos;
    readUvarint(cursor);
    return start;
  }
  if (wire !== 1 && wire !== 2 && wire !== 5) throw new ShortBytesError();
  const size = wire === 1 ? 8 : wire === 5 ? 4 : readUvarint(cursor);
  const start = cursor.pos;
  if (size > cursor.end - start) throw new ShortBytesError();
  cursor.pos += size;
  return start;
}
