/**
 * One histogram as it is in WAL records and snapshots (docs/format/wal.md, "7 to 10: histograms"), to and from columns.
 * Prometheus tsdb/record/record.go is the format's home.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX } from '../../model/histogram.ts';
import type { HistogramColumns, HistogramLayout } from '../../model/histogram.ts';
import { coarserBuckets } from '../../chunkenc/coarser-buckets.ts';
import { LayoutCache, isKnownSchema, isTooFine } from './histogram-layouts.ts';
import type { RecordBuilder } from './record-builder.ts';
import type { RecordReader } from './record-reader.ts';

const DOUBLE_BYTES = 8;

/** Reads histograms, one after the other: `read` takes one in, `appendTo` puts it into columns. */
export class HistogramReader {
  #reader: RecordReader | undefined;
  #isFloat = false;
  #hint = 0;
  #schema = 0;
  #thresholdAt = 0;
  /** Of integer histograms. */
  #zeroCount = 0;
  #count = 0;
  /** Where zero count, count (of float histograms) and sum are. */
  #numbersAt = 0;
  #spansAt = 0;
  #spansEnd = 0;
  #positiveCount = 0;
  #negativeCount = 0;
  #customAt = 0;
  #customEnd = 0;
  #buckets = new Float64Array(32);
  #bucketHalves = new Uint32Array(this.#buckets.buffer);
  #layoutFrom = 0;
  readonly #layouts = new LayoutCache();

  /**
   * Takes one histogram in and moves on behind it. Answers whether its schema is one of Prometheus': one with another is
   * passed over, as Prometheus does. @throws ShortBytesError, CorruptionError.
   */
  read(reader: RecordReader, isFloat: boolean): boolean {
    this.#reader = reader;
    this.#isFloat = isFloat;
    this.#hint = reader.byte();
    this.#layoutFrom = reader.pos;
    this.#schema = reader.plus(0, 'schema');
    this.#thresholdAt = reader.skip(DOUBLE_BYTES);
    if (!isFloat) {
      this.#zeroCount = reader.uvarint('zero count');
      this.#count = reader.uvarint('count');
    }
    this.#numbersAt = reader.skip(isFloat ? 3 * DOUBLE_BYTES : DOUBLE_BYTES);
    this.#spansAt = reader.pos;
    const positive = skipSpans(reader);
    const negative = skipSpans(reader);
    this.#spansEnd = reader.pos;
    this.#positiveCount = this.#readBuckets(reader, positive, 0);
    this.#negativeCount = this.#readBuckets(reader, negative, positive);
    const custom = this.#schema === CUSTOM_BUCKETS_SCHEMA ? reader.count(DOUBLE_BYTES) : 0;
    this.#customAt = reader.skip(custom * DOUBLE_BYTES);
    this.#customEnd = reader.pos;
    return isKnownSchema(this.#schema);
  }

  /** Appends what was taken in, at a time in ms; answers its number. @throws CorruptionError when its spans overlap. */
  appendTo(columns: HistogramColumns, t: number): number {
    const reader = this.#reader as RecordReader;
    const layout = this.#layout(reader);
    const coarser = isTooFine(layout.schema)
      ? coarserBuckets(layout, EXPONENTIAL_SCHEMA_MAX)
      : undefined;
    if (isTooFine(layout.schema) && coarser === undefined) throw reader.error('spans overlap');
    const i = columns.add(coarser?.layout ?? layout);
    const start = columns.start[i] as number;
    const count = layout.positiveCount + layout.negativeCount;
    if (coarser === undefined) columns.buckets.set(this.#buckets.subarray(0, count), start);
    else {
      columns.buckets.fill(0, start, columns.bucketsLength);
      for (let k = 0; k < count; k++) {
        const at = start + (coarser.target[k] as number);
        columns.buckets[at] = (columns.buckets[at] as number) + (this.#buckets[k] as number);
      }
    }
    columns.t[i] = t;
    columns.hint[i] = this.#hint;
    columns.isFloat[i] = this.#isFloat ? 1 : 0;
    const { bytes } = reader;
    let at = this.#numbersAt;
    if (this.#isFloat) {
      copyBits(bytes, at, halvesOf(columns.zeroCount), i);
      copyBits(bytes, at + DOUBLE_BYTES, halvesOf(columns.count), i);
      at += 2 * DOUBLE_BYTES;
    } else {
      columns.zeroCount[i] = this.#zeroCount;
      columns.count[i] = this.#count;
    }
    copyBits(bytes, at, halvesOf(columns.sum), i);
    return i;
  }

  /** Reads the buckets of one sign to a place in the scratch; there must be as many as the spans say. */
  #readBuckets(reader: RecordReader, want: number, start: number): number {
    const count = reader.count(this.#isFloat ? DOUBLE_BYTES : 1);
    if (count !== want) throw reader.error(`${count} buckets, and ${want} in the spans`);
    if (start + count > this.#buckets.length) {
      const more = new Float64Array((start + count) * 2);
      more.set(this.#buckets);
      this.#buckets = more;
      this.#bucketHalves = new Uint32Array(more.buffer);
    }
    let absolute = 0;
    for (let i = start; i < start + count; i++) {
      if (this.#isFloat) copyBits(reader.bytes, reader.skip(DOUBLE_BYTES), this.#bucketHalves, i);
      else {
        absolute = reader.plus(absolute, 'bucket count');
        this.#buckets[i] = absolute;
      }
    }
    return count;
  }

  #layout(reader: RecordReader): HistogramLayout {
    const { bytes } = reader;
    const layouts = this.#layouts;
    layouts.begin();
    layouts.key(bytes, this.#layoutFrom, this.#thresholdAt + DOUBLE_BYTES);
    layouts.key(bytes, this.#spansAt, this.#spansEnd);
    layouts.key(bytes, this.#customAt, this.#customEnd);
    return layouts.get(() => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const customValues = new Float64Array((this.#customEnd - this.#customAt) / DOUBLE_BYTES);
      const custom = halvesOf(customValues);
      for (let i = 0; i < customValues.length; i++) {
        copyBits(bytes, this.#customAt + i * DOUBLE_BYTES, custom, i);
      }
      const cursor = { bytes, pos: this.#spansAt, end: this.#spansEnd };
      return {
        schema: this.#schema,
        zeroThreshold: view.getFloat64(this.#thresholdAt),
        positiveSpans: readSpans(cursor),
        negativeSpans: readSpans(cursor),
        customValues,
        positiveCount: this.#positiveCount,
        negativeCount: this.#negativeCount,
      };
    });
  }
}

/** Writes the i-th histogram of columns. Counts of an integer histogram are safe integers. */
export function writeHistogram(builder: RecordBuilder, columns: HistogramColumns, i: number): void {
  const layout = columns.layoutAt(i);
  const isFloat = columns.isFloat[i] === 1;
  const sum = halvesOf(columns.sum);
  builder.byte(columns.hint[i] as number);
  builder.varint(layout.schema);
  putBits(builder, halvesOf(Float64Array.of(layout.zeroThreshold)), 0);
  if (isFloat) {
    putBits(builder, halvesOf(columns.zeroCount), i);
    putBits(builder, halvesOf(columns.count), i);
  } else {
    builder.uvarint(checkedCount(columns.zeroCount[i] as number));
    builder.uvarint(checkedCount(columns.count[i] as number));
  }
  putBits(builder, sum, i);
  writeSpans(builder, layout.positiveSpans);
  writeSpans(builder, layout.negativeSpans);
  const buckets = halvesOf(columns.buckets);
  let at = columns.start[i] as number;
  for (const count of [layout.positiveCount, layout.negativeCount]) {
    builder.uvarint(count);
    let before = 0;
    for (const end = at + count; at < end; at++) {
      if (isFloat) putBits(builder, buckets, at);
      else {
        const bucket = columns.buckets[at] as number;
        builder.difference(bucket, before);
        before = bucket;
      }
    }
  }
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  const { customValues } = layout;
  builder.uvarint(customValues.length);
  const custom = halvesOf(customValues);
  for (let k = 0; k < customValues.length; k++) putBits(builder, custom, k);
}

/** The same memory as halves: the low one of double i is number 2i, the high one 2i + 1. */
function halvesOf(doubles: Float64Array): Uint32Array {
  return new Uint32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2);
}

/** Copies a big-endian double, bit by bit. */
function copyBits(bytes: Uint8Array, at: number, halves: Uint32Array, i: number): void {
  halves[2 * i + 1] = readU32(bytes, at);
  halves[2 * i] = readU32(bytes, at + 4);
}

function putBits(builder: RecordBuilder, halves: Uint32Array, i: number): void {
  builder.halves(halves[2 * i + 1] as number, halves[2 * i] as number);
}

/** Passes over spans; answers how many buckets they have. */
function skipSpans(reader: RecordReader): number {
  let buckets = 0;
  for (let left = reader.count(2); left > 0; left--) {
    const offset = readVarint(reader);
    if (offset !== (offset | 0)) throw reader.error('span offset beyond 2^31');
    buckets += readUvarint(reader);
  }
  return buckets;
}

/** Spans that were passed over before. */
function readSpans(cursor: ByteCursor): Int32Array {
  const spans = new Int32Array(readUvarint(cursor) * 2);
  for (let i = 0; i < spans.length; i += 2) {
    spans[i] = readVarint(cursor);
    spans[i + 1] = readUvarint(cursor);
  }
  return spans;
}

function writeSpans(builder: RecordBuilder, spans: Int32Array): void {
  builder.uvarint(spans.length / 2);
  for (let i = 0; i < spans.length; i += 2) {
    builder.varint(spans[i] as number);
    builder.uvarint(spans[i + 1] as number);
  }
}

function checkedCount(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new RangeError(`BUG: ${count} observations in an integer histogram`);
}
