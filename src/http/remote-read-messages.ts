/** Writes the messages that answers of remote read are made of (prompb/types.proto). */
import { encodeUtf8 } from '../lib/utf8.ts';
import { sizeUvarint } from '../lib/varint.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../model/histogram.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { FloatColumns } from '../storage/storage.ts';
import type { WireWriter } from '../tsdb/head/wire-writer.ts';

/** A tag with a length at the most. */
const HEAD_MAX = 11;

/** A Sample with its head: two bytes, a double with its tag, a time of ten bytes with its tag. */
const SAMPLE_BYTES_MAX = 22;

/** Bytes of a Histogram's fields that are no lists, at the most. */
const HISTOGRAM_BYTES_MAX = 128;
/** Bytes of a bucket, as a delta or a count, and of a span. */
const BUCKET_BYTES_MAX = 10;
const SPAN_BYTES_MAX = 24;

/** Label messages with their tags, as field 1 of what they are in; and the bytes of their contents. */
export interface LabelFields {
  readonly bytes: Uint8Array;
  readonly contentBytes: number;
}

/** Writes labels, which are name, value, … in order. */
export function labelFields(pairs: readonly string[]): LabelFields {
  const parts: Uint8Array[] = [];
  let contentBytes = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const name = textField(0x0a, pairs[i] as string);
    const value = textField(0x12, pairs[i + 1] as string);
    const size = name.length + value.length;
    contentBytes += size;
    parts.push(Uint8Array.of(0x0a, ...uvarint(size)), name, value);
  }
  return { bytes: Buffer.concat(parts), contentBytes };
}

function textField(tag: number, text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  return Buffer.concat([Uint8Array.of(tag, ...uvarint(bytes.length)), bytes]);
}

/** The bytes of a varint. */
export function uvarint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (let left = sizeUvarint(value); left > 1; left--) {
    out.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return out;
}

/** Writes Sample messages as field 2 of a TimeSeries, bits and all. */
export function writeSamples(out: WireWriter, { t, v, length }: FloatColumns): void {
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  out.reserve(length * SAMPLE_BYTES_MAX);
  for (let i = 0; i < length; i++) {
    const head = out.length;
    out.length += 2;
    out.byte(0x09);
    out.halves(halves[2 * i] as number, halves[2 * i + 1] as number);
    out.byte(0x10);
    out.int64(t[i] as number);
    const end = out.length;
    out.length = head;
    out.byte(0x12);
    out.byte(end - head - 2);
    out.length = end;
  }
}

/** Writes Histogram messages as field 4 of a TimeSeries. */
export function writeHistograms(out: WireWriter, columns: HistogramColumns): void {
  for (let i = 0; i < columns.length; i++) {
    const layout = columns.layoutAt(i);
    const buckets = layout.positiveCount + layout.negativeCount + layout.customValues.length;
    const spans = layout.positiveSpans.length + layout.negativeSpans.length;
    out.reserve(HISTOGRAM_BYTES_MAX + buckets * BUCKET_BYTES_MAX + spans * SPAN_BYTES_MAX);
    const start = out.open(0x22);
    writeHistogram(out, columns, i);
    out.reserve(HEAD_MAX);
    out.close(start);
  }
}

function writeHistogram(out: WireWriter, columns: HistogramColumns, i: number): void {
  const layout = columns.layoutAt(i);
  const isFloat = columns.isFloat[i] === 1;
  const start = columns.start[i] as number;
  const { positiveCount, negativeCount, schema, customValues } = layout;
  const sums = new Uint32Array(columns.sum.buffer, columns.sum.byteOffset + i * 8, 2);
  writeCount(out, isFloat, [0x08, 0x11], columns.count[i] as number);
  out.byte(0x19);
  out.halves(sums[0] as number, sums[1] as number);
  out.byte(0x20);
  out.zigzag(schema);
  out.byte(0x29);
  out.double(layout.zeroThreshold);
  writeCount(out, isFloat, [0x30, 0x39], columns.zeroCount[i] as number);
  writeSpans(out, 0x42, layout.negativeSpans);
  const negatives = { at: start + positiveCount, count: negativeCount };
  writeBuckets(out, isFloat ? 0x52 : 0x4a, columns.buckets, negatives, isFloat);
  writeSpans(out, 0x5a, layout.positiveSpans);
  const positives = { at: start, count: positiveCount };
  writeBuckets(out, isFloat ? 0x6a : 0x62, columns.buckets, positives, isFloat);
  out.byte(0x70);
  out.varint(columns.hint[i] as number);
  out.byte(0x78);
  out.int64(columns.t[i] as number);
  if (schema !== CUSTOM_BUCKETS_SCHEMA || customValues.length === 0) return;
  // Field 16: a tag of two bytes.
  out.byte(0x82);
  out.byte(0x01);
  out.varint(customValues.length * 8);
  for (const bound of customValues) out.double(bound);
}

/** A count of observations: a varint of integer histograms, a double of float ones, which tells them apart. */
function writeCount(
  out: WireWriter,
  isFloat: boolean,
  [integer, float]: readonly [number, number],
  count: number,
): void {
  out.byte(isFloat ? float : integer);
  if (isFloat) out.double(count);
  else out.varint(count);
}

function writeSpans(out: WireWriter, tag: number, spans: Int32Array): void {
  for (let i = 0; i < spans.length; i += 2) {
    const start = out.open(tag);
    out.byte(0x08);
    out.zigzag(spans[i] as number);
    out.byte(0x10);
    out.varint(spans[i + 1] as number);
    out.close(start);
  }
}

/** Buckets as a packed list: differences of integer counts, float counts as they are. */
function writeBuckets(
  out: WireWriter,
  tag: number,
  buckets: Float64Array,
  { at, count }: { readonly at: number; readonly count: number },
  isFloat: boolean,
): void {
  if (count === 0) return;
  const start = out.open(tag);
  let before = 0;
  for (let k = at; k < at + count; k++) {
    const bucket = buckets[k] as number;
    if (isFloat) out.double(bucket);
    else out.zigzag(bucket - before);
    before = bucket;
  }
  out.reserve(HEAD_MAX);
  out.close(start);
}
