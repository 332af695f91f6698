/** Families as length-delimited io.prometheus.client.MetricFamily messages (client_model metrics.proto, proto2). */
import { CUSTOM_BUCKETS_SCHEMA } from '../model/histogram.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import { WireWriter } from '../tsdb/head/wire-writer.ts';
import { cumulativeBuckets } from './classic-buckets.ts';
import { escapeName } from './escape-name.ts';
import type { EscapingScheme } from './escape-name.ts';
import type { FamilyType, FamilyWriter } from './family-writer.ts';
import type { FederatedSample } from './federate-select.ts';
import { uvarint } from './remote-read-messages.ts';

/** limit: bytes of one family, as protobuf has it for a message. */
const FAMILY_BYTES_MAX = 0x7fffffff;

const HEAD_MAX = 11;
/** Bytes of numbers of a Metric and a Histogram, at the most. */
const NUMBERS_MAX = 128;

/** Values of MetricType. */
const TYPES: Readonly<Record<FamilyType, number>> = {
  untyped: 3,
  histogram: 4,
  gaugehistogram: 5,
};

/** Tags: field number << 3 | wire type. */
const FAMILY = { name: 0x0a, type: 0x18, metric: 0x22 } as const;
const METRIC = { label: 0x0a, untyped: 0x2a, timestamp: 0x30, histogram: 0x3a } as const;
const LABEL = { name: 0x0a, value: 0x12 } as const;
const UNTYPED_VALUE = 0x09;
const HISTOGRAM = {
  sum: 0x11,
  bucket: 0x1a,
  count: 0x21,
  schema: 0x28,
  zeroThreshold: 0x31,
  zeroCount: 0x41,
  negativeSpan: 0x4a,
  negativeCount: 0x59,
  positiveSpan: 0x62,
  positiveCount: 0x71,
} as const;
const BUCKET = { bound: 0x11, count: 0x21 } as const;
const SPAN = { offset: 0x08, length: 0x10 } as const;

/** Writes messages. */
export class ProtobufFamilies implements FamilyWriter {
  readonly #histograms: HistogramColumns;
  readonly #escaping: EscapingScheme;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  readonly #out = new WireWriter('metric family');

  constructor(histograms: HistogramColumns, escaping: EscapingScheme) {
    this.#histograms = histograms;
    this.#escaping = escaping;
  }

  family(name: string, type: FamilyType): void {
    this.#end();
    const out = this.#out;
    out.begin(FAMILY_BYTES_MAX);
    this.#text(FAMILY.name, escapeName(name, this.#escaping));
    out.reserve(HEAD_MAX);
    out.byte(FAMILY.type);
    out.varint(TYPES[type]);
  }

  metric(labels: readonly string[], { t, value, row }: FederatedSample): void {
    const out = this.#out;
    out.reserve(HEAD_MAX);
    const start = out.open(FAMILY.metric);
    for (let i = 0; i < labels.length; i += 2) {
      out.reserve(HEAD_MAX);
      const label = out.open(METRIC.label);
      this.#text(LABEL.name, escapeName(labels[i] as string, this.#escaping));
      this.#text(LABEL.value, labels[i + 1] as string);
      out.close(label);
    }
    out.reserve(NUMBERS_MAX);
    if (row < 0) {
      const untyped = out.open(METRIC.untyped);
      out.byte(UNTYPED_VALUE);
      out.double(value);
      out.close(untyped);
    }
    out.byte(METRIC.timestamp);
    out.int64(t);
    if (row >= 0) this.#histogram(row);
    out.reserve(HEAD_MAX);
    out.close(start);
  }

  finish(): Uint8Array<ArrayBuffer>[] {
    this.#end();
    return this.#pieces;
  }

  #histogram(row: number): void {
    const out = this.#out;
    const { count, sum } = this.#histograms;
    const isClassic = this.#histograms.layoutAt(row).schema === CUSTOM_BUCKETS_SCHEMA;
    out.reserve(NUMBERS_MAX);
    const start = out.open(METRIC.histogram);
    out.byte(HISTOGRAM.sum);
    out.double(sum[row] as number);
    if (isClassic) this.#buckets(row);
    out.reserve(NUMBERS_MAX);
    // compat: all counts are floats, those of integer histograms too.
    out.byte(HISTOGRAM.count);
    out.double(count[row] as number);
    if (!isClassic) this.#native(row);
    out.reserve(HEAD_MAX);
    out.close(start);
  }

  #buckets(row: number): void {
    const out = this.#out;
    for (const [bound, count] of cumulativeBuckets(this.#histograms, row)) {
      out.reserve(NUMBERS_MAX);
      const start = out.open(HISTOGRAM.bucket);
      out.byte(BUCKET.bound);
      out.double(bound);
      out.byte(BUCKET.count);
      out.double(count);
      out.close(start);
    }
  }

  #native(row: number): void {
    const out = this.#out;
    const histograms = this.#histograms;
    const layout = histograms.layoutAt(row);
    const { positiveCount, negativeCount } = layout;
    const at = histograms.start[row] as number;
    out.byte(HISTOGRAM.schema);
    out.zigzag(layout.schema);
    out.byte(HISTOGRAM.zeroThreshold);
    out.double(layout.zeroThreshold);
    out.byte(HISTOGRAM.zeroCount);
    out.double(histograms.zeroCount[row] as number);
    this.#spans(HISTOGRAM.negativeSpan, layout.negativeSpans);
    this.#counts(HISTOGRAM.negativeCount, at + positiveCount, negativeCount);
    this.#spans(HISTOGRAM.positiveSpan, layout.positiveSpans);
    this.#counts(HISTOGRAM.positiveCount, at, positiveCount);
  }

  #spans(tag: number, spans: Int32Array): void {
    const out = this.#out;
    for (let i = 0; i < spans.length; i += 2) {
      out.reserve(NUMBERS_MAX);
      const start = out.open(tag);
      out.byte(SPAN.offset);
      out.zigzag(spans[i] as number);
      out.byte(SPAN.length);
      out.varint(spans[i + 1] as number);
      out.close(start);
    }
  }

  /** One field a count: proto2 does not pack. */
  #counts(tag: number, from: number, length: number): void {
    const out = this.#out;
    out.reserve(length * 9);
    for (let i = from; i < from + length; i++) {
      out.byte(tag);
      out.double(this.#histograms.buckets[i] as number);
    }
  }

  #text(tag: number, text: string): void {
    const out = this.#out;
    const bytes = encodeUtf8(text);
    out.reserve(HEAD_MAX + bytes.length);
    out.byte(tag);
    out.varint(bytes.length);
    out.put(bytes);
  }

  /** Gives the family at hand away, behind its length. */
  #end(): void {
    const message = this.#out.written;
    if (message.length === 0) return;
    const head = uvarint(message.length);
    const piece = new Uint8Array(head.length + message.length);
    piece.set(head);
    piece.set(message, head.length);
    this.#pieces.push(piece);
    this.#out.length = 0;
  }
}
