/**
 * Histogram records, types 7 to 10, 12 and 13 (docs/format/wal.md), to and from columns. Prometheus
 * tsdb/record/record.go is the format's home.
 */
import { CUSTOM_BUCKETS_SCHEMA, HistogramColumns } from '../../model/histogram.ts';
import { HistogramReader, writeHistogram } from './encoded-histogram.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';
import type { EncodeRange } from './sample-records.ts';
import { StartTimestampReader, StartTimestampWriter } from './start-timestamp.ts';

/** Histogram samples in columns, integer and float ones. Arrays are replaced when they grow: hold the batch, not them. */
export class HistogramBatch implements RecordBatch {
  readonly columns = new HistogramColumns();
  /** The series of each, by number in {@link columns}. */
  refs = new Float64Array(0);
  /** Start timestamps in ms, 0 for none. */
  st = new Float64Array(0);
  /** How many histograms were left out because their schema is none of Prometheus'. */
  unknownSchemas = 0;
  /** Knows the layouts it has seen. */
  readonly reader = new HistogramReader();

  get length(): number {
    return this.columns.length;
  }

  /** Forgets all samples; keeps the room. */
  clear(): void {
    this.columns.clear();
    this.unknownSchemas = 0;
  }

  truncate(length: number): void {
    const { columns } = this;
    if (length >= columns.length) return;
    columns.bucketsLength = columns.start[length] as number;
    columns.length = length;
    // Layouts are numbered as samples come: those behind the last one's are of samples that are forgotten.
    columns.layouts.length = length === 0 ? 0 : (columns.layout[length - 1] as number) + 1;
  }

  /** Gives the newest sample of {@link columns} its series and start timestamp. */
  setNewest(ref: number, st = 0): void {
    const i = this.columns.length - 1;
    if (i >= this.refs.length) {
      const { refs, st: starts } = this;
      this.refs = new Float64Array(Math.max(16, i * 2));
      this.st = new Float64Array(this.refs.length);
      this.refs.set(refs);
      this.st.set(starts);
    }
    this.refs[i] = ref;
    this.st[i] = st;
  }
}

/** Whether a record type holds histograms, and which; undefined for another type. */
export function histogramRecord(
  type: number,
): { readonly isFloat: boolean; readonly startTimestamps: boolean } | undefined {
  switch (type) {
    case RECORD.histograms:
    case RECORD.customHistograms:
      return { isFloat: false, startTimestamps: false };
    case RECORD.floatHistograms:
    case RECORD.customFloatHistograms:
      return { isFloat: true, startTimestamps: false };
    case RECORD.histogramsV2:
      return { isFloat: false, startTimestamps: true };
    case RECORD.floatHistogramsV2:
      return { isFloat: true, startTimestamps: true };
    default:
      return undefined;
  }
}

/**
 * Appends the histograms of a record of type 7 to 10, 12 or 13; `where` names the record in errors. As in Prometheus, one
 * with an unknown schema is left out (and counted), and one with a schema above 8 gets that of 8.
 * @throws CorruptionError; the batch is then as it was.
 */
export function decodeHistograms(record: Uint8Array, batch: HistogramBatch, where: string): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const type = reader.byte();
    const kind = histogramRecord(type);
    if (kind === undefined) throw reader.error(`record of type ${type}, want histograms`);
    if (!reader.more) return;
    if (kind.startTimestamps) readWithStarts(reader, batch, kind.isFloat);
    else readPlain(reader, batch, kind.isFloat);
  });
}

function readPlain(reader: RecordReader, batch: HistogramBatch, isFloat: boolean): void {
  const baseRef = reader.u64('series ref');
  const baseTime = reader.i64('time');
  while (reader.more) {
    const ref = reader.ref(baseRef);
    const t = reader.plus(baseTime, 'time');
    if (batch.reader.read(reader, isFloat)) {
      batch.reader.appendTo(batch.columns, t);
      batch.setNewest(ref);
    } else batch.unknownSchemas++;
  }
}

function readWithStarts(reader: RecordReader, batch: HistogramBatch, isFloat: boolean): void {
  const head = new StartTimestampReader();
  while (reader.more) {
    head.read(reader);
    if (batch.reader.read(reader, isFloat)) {
      batch.reader.appendTo(batch.columns, head.t);
      batch.setNewest(head.ref, head.st);
    } else batch.unknownSchemas++;
  }
}

/**
 * Records of the histograms of a batch, each in memory of its own: one for each kind that occurs (integer, integer with
 * custom buckets, float, float with custom buckets), in this order; with start timestamps one of integer and one of float
 * histograms. Within a record the batch's order holds.
 */
export function encodeHistograms(batch: HistogramBatch, range: EncodeRange = {}): Uint8Array[] {
  const { columns } = batch;
  const { from = 0, to = columns.length, startTimestamps = false } = range;
  const byKind: number[][] = [[], [], [], []];
  for (let i = from; i < to; i++) {
    const custom = !startTimestamps && columns.layoutAt(i).schema === CUSTOM_BUCKETS_SCHEMA;
    const kind = (columns.isFloat[i] === 1 ? 2 : 0) + (custom ? 1 : 0);
    byKind[kind]?.push(i);
  }
  const types = startTimestamps ? START_TIMESTAMP_TYPES : PLAIN_TYPES;
  const records: Uint8Array[] = [];
  for (const [kind, samples] of byKind.entries()) {
    if (samples.length === 0) continue;
    const builder = new RecordBuilder();
    builder.begin(types[kind] as number);
    if (startTimestamps) writeWithStarts(builder, batch, samples);
    else writePlain(builder, batch, samples);
    records.push(builder.take());
  }
  return records;
}

/** Record types by kind: whether custom, plus two when float. */
const PLAIN_TYPES: readonly number[] = [
  RECORD.histograms,
  RECORD.customHistograms,
  RECORD.floatHistograms,
  RECORD.customFloatHistograms,
];
const START_TIMESTAMP_TYPES: readonly number[] = [
  RECORD.histogramsV2,
  RECORD.histogramsV2,
  RECORD.floatHistogramsV2,
  RECORD.floatHistogramsV2,
];

function writePlain(builder: RecordBuilder, batch: HistogramBatch, samples: number[]): void {
  const { refs, columns } = batch;
  const first = samples[0] as number;
  const baseRef = refs[first] as number;
  const baseTime = columns.t[first] as number;
  builder.u64(baseRef);
  builder.u64(baseTime);
  for (const i of samples) {
    builder.difference(refs[i] as number, baseRef);
    builder.difference(columns.t[i] as number, baseTime);
    writeHistogram(builder, columns, i);
  }
}

function writeWithStarts(builder: RecordBuilder, batch: HistogramBatch, samples: number[]): void {
  const { refs, st, columns } = batch;
  const head = new StartTimestampWriter();
  for (const i of samples) {
    head.write(builder, refs[i] as number, columns.t[i] as number, st[i] as number);
    writeHistogram(builder, columns, i);
  }
}
