/**
 * What the samples of a histogram chunk share, written in front of the first one (prometheus
 * tsdb/chunkenc/histogram_meta.go; docs/format/histogram-chunks.md, "Layout").
 */
import { CUSTOM_BUCKETS_SCHEMA, countBuckets } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';
import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';

/** The schemas of Prometheus (model/histogram): those above 8 are reserved, for finer buckets than any that are made. */
const SCHEMA_RESERVED = { min: -9, max: 52 } as const;
/** A zero threshold that is a power of two takes one byte: its exponent, counted from here. */
const THRESHOLD_EXPONENT = 779;
const THRESHOLD_RAW = 255;
/** The largest thousandth that a custom bound is stored as. */
const BOUND_THOUSANDTHS_MAX = 33554430;

/** The fewest bits of a span (length and offset), and of a custom bound. */
const SPAN_BITS_MIN = 2;
const BOUND_BITS_MIN = 5;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** The layout of a sample that is a stale marker: it has no buckets. */
export const EMPTY_LAYOUT: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: new Int32Array(0),
  negativeSpans: new Int32Array(0),
  customValues: new Float64Array(0),
  positiveCount: 0,
  negativeCount: 0,
};

/**
 * Reads a layout. `bucketBits` are the fewest bits that a bucket of the first sample takes.
 * @throws CorruptionError when there are fewer bits than it says, or its schema is none of Prometheus'.
 */
export function readChunkLayout(reader: BitReader, bucketBits: number): HistogramLayout {
  const zeroThreshold = readZeroThreshold(reader);
  const schema = readVarbitInt(reader);
  if (!isKnownSchema(schema)) throw reader.error(`histogram schema ${schema}`);
  const positiveSpans = readSpans(reader);
  const negativeSpans = readSpans(reader);
  const customValues =
    schema === CUSTOM_BUCKETS_SCHEMA ? readCustomBounds(reader) : new Float64Array(0);
  const positiveCount = countBuckets(positiveSpans);
  const negativeCount = countBuckets(negativeSpans);
  if ((positiveCount + negativeCount) * bucketBits > reader.left)
    throw reader.error(`${positiveCount + negativeCount} buckets in ${reader.left} bits`);
  return {
    schema,
    zeroThreshold,
    positiveSpans,
    negativeSpans,
    customValues,
    positiveCount,
    negativeCount,
  };
}

/** Appends a layout. */
export function writeChunkLayout(out: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(out, layout.zeroThreshold);
  writeVarbitInt(out, layout.schema);
  writeSpans(out, layout.positiveSpans);
  writeSpans(out, layout.negativeSpans);
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  writeVarbitUint(out, layout.customValues.length);
  for (const bound of layout.customValues) writeCustomBound(out, bound);
}

function isKnownSchema(schema: number): boolean {
  return (
    schema === CUSTOM_BUCKETS_SCHEMA ||
    (schema >= SCHEMA_RESERVED.min && schema <= SCHEMA_RESERVED.max)
  );
}

function readZeroThreshold(reader: BitReader): number {
  const byte = reader.bits(8);
  if (byte === 0) return 0;
  if (byte === THRESHOLD_RAW) return readDouble(reader);
  halves[0] = 0;
  halves[1] = (byte + THRESHOLD_EXPONENT) << 20;
  return double[0] as number;
}

function writeZeroThreshold(out: BitWriter, threshold: number): void {
  if (threshold === 0) {
    out.bits(0, 8);
    return;
  }
  double[0] = threshold;
  const byte = ((halves[1] as number) >>> 20) - THRESHOLD_EXPONENT;
  const isPower = halves[0] === 0 && ((halves[1] as number) & 0xfffff) === 0;
  if (isPower && byte >= 1 && byte < THRESHOLD_RAW) {
    out.bits(byte, 8);
    return;
  }
  out.bits(THRESHOLD_RAW, 8);
  writeDouble(out, threshold);
}

function readSpans(reader: BitReader): Int32Array {
  const count = readVarbitUint(reader);
  if (count * SPAN_BITS_MIN > reader.left)
    throw reader.error(`${count} spans in ${reader.left} bits`);
  const spans = new Int32Array(count * 2);
  for (let i = 0; i < spans.length; i += 2) {
    const length = readVarbitUint(reader);
    const offset = readVarbitInt(reader);
    // Each bucket takes a bit: more than this many cannot be there.
    if (length > reader.left) throw reader.error(`a span of ${length} buckets`);
    if (offset !== (offset | 0)) throw reader.error(`span offset ${offset}`);
    spans[i] = offset;
    spans[i + 1] = length;
  }
  return spans;
}

function writeSpans(out: BitWriter, spans: Int32Array): void {
  writeVarbitUint(out, spans.length / 2);
  for (let i = 0; i < spans.length; i += 2) {
    writeVarbitUint(out, spans[i + 1] as number);
    writeVarbitInt(out, spans[i] as number);
  }
}

function readCustomBounds(reader: BitReader): Float64Array {
  const count = readVarbitUint(reader);
  if (count * BOUND_BITS_MIN > reader.left)
    throw reader.error(`${count} custom bounds in ${reader.left} bits`);
  const bounds = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const thousandths = readVarbitUint(reader);
    bounds[i] = thousandths === 0 ? readDouble(reader) : (thousandths - 1) / 1000;
  }
  return bounds;
}

function writeCustomBound(out: BitWriter, bound: number): void {
  const thousandths = bound * 1000;
  const rounded = Math.round(thousandths);
  if (thousandths >= 0 && thousandths <= BOUND_THOUSANDTHS_MAX && rounded / 1000 === bound) {
    writeVarbitUint(out, rounded + 1);
    return;
  }
  out.bits(0, 1);
  writeDouble(out, bound);
}

function readDouble(reader: BitReader): number {
  halves[1] = reader.bits(32);
  halves[0] = reader.bits(32);
  return double[0] as number;
}

function writeDouble(out: BitWriter, value: number): void {
  double[0] = value;
  out.bits(halves[1] as number, 32);
  out.bits(halves[0] as number, 32);
}
