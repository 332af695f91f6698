/**
 * Samples records, types 2 and 11 (docs/format/wal.md), to and from columns. Replay of `wal/` reads type 2 in the ingest
 * kernel; this is for the out-of-order log, for start timestamps, and for checks. Prometheus tsdb/record/record.go is the
 * format's home.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';
import { StartTimestampReader, StartTimestampWriter } from './start-timestamp.ts';

/**
 * Float samples in columns, filled up to `length`. Arrays are replaced when they grow: hold the batch, not them. `v` and
 * `halves` are one memory: values are moved with `set`, or as halves, never through a number variable.
 */
export class SampleBatch implements RecordBatch {
  length = 0;
  refs = new Float64Array(0);
  /** Timestamps in ms. */
  t = new Float64Array(0);
  /** Start timestamps in ms, 0 for none. */
  st = new Float64Array(0);
  v = new Float64Array(0);
  /** The bits of `v`: the low half of value i is number 2i, the high one 2i + 1. */
  halves = new Uint32Array(0);

  /** Forgets all samples; keeps the room. */
  clear(): void {
    this.length = 0;
  }

  truncate(length: number): void {
    this.length = length;
  }

  /** Makes room for one more sample, sets all but its value, and answers its number. */
  add(ref: number, t: number, st = 0): number {
    const i = this.length++;
    if (i === this.t.length) this.#grow(Math.max(64, i * 2));
    this.refs[i] = ref;
    this.t[i] = t;
    this.st[i] = st;
    return i;
  }

  #grow(capacity: number): void {
    const grow = (old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const next = new Float64Array(capacity);
      next.set(old);
      return next;
    };
    this.refs = grow(this.refs);
    this.t = grow(this.t);
    this.st = grow(this.st);
    this.v = grow(this.v);
    this.halves = new Uint32Array(this.v.buffer);
  }
}

/**
 * Appends the samples of a record of type 2 or 11; `where` names the record in errors.
 * @throws CorruptionError; the batch is then as it was.
 */
export function decodeSamples(record: Uint8Array, batch: SampleBatch, where: string): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const type = reader.byte();
    if (type === RECORD.samples) readPlain(reader, batch);
    else if (type === RECORD.samplesV2) readWithStarts(reader, batch);
    else throw reader.error(`record of type ${type}, want samples`);
  });
}

function readPlain(reader: RecordReader, batch: SampleBatch): void {
  if (!reader.more) return;
  const baseRef = reader.u64('series ref');
  const baseTime = reader.i64('time');
  while (reader.more) {
    const ref = reader.ref(baseRef);
    readValue(reader, batch, batch.add(ref, reader.plus(baseTime, 'time')));
  }
}

function readWithStarts(reader: RecordReader, batch: SampleBatch): void {
  const head = new StartTimestampReader();
  while (reader.more) {
    head.read(reader);
    readValue(reader, batch, batch.add(head.ref, head.t, head.st));
  }
}

function readValue(reader: RecordReader, batch: SampleBatch, i: number): void {
  const at = reader.skip(8);
  batch.halves[2 * i + 1] = readU32(reader.bytes, at);
  batch.halves[2 * i] = readU32(reader.bytes, at + 4);
}

/** Which samples of a batch a record holds, and how. */
export interface EncodeRange {
  readonly from?: number;
  /** Exclusive. */
  readonly to?: number;
  /**
   * Whether to write the newer record types, which keep start timestamps and which Prometheus before 3.14 cannot read.
   * Off by default: start timestamps are then left out.
   */
  readonly startTimestamps?: boolean;
}

/** A record of samples, of type 2 or (on request) 11, in memory of its own. Without samples it is a type byte. */
export function encodeSamples(batch: SampleBatch, range: EncodeRange = {}): Uint8Array {
  const { from = 0, to = batch.length, startTimestamps = false } = range;
  const { refs, t, st, halves } = batch;
  const builder = new RecordBuilder();
  builder.begin(startTimestamps ? RECORD.samplesV2 : RECORD.samples);
  const head = new StartTimestampWriter();
  const baseRef = refs[from] ?? 0;
  const baseTime = t[from] ?? 0;
  if (!startTimestamps && from < to) {
    builder.u64(baseRef);
    builder.u64(baseTime);
  }
  for (let i = from; i < to; i++) {
    if (startTimestamps) {
      head.write(builder, refs[i] as number, t[i] as number, st[i] as number);
    } else {
      builder.difference(refs[i] as number, baseRef);
      builder.difference(t[i] as number, baseTime);
    }
    builder.halves(halves[2 * i + 1] as number, halves[2 * i] as number);
  }
  return builder.take();
}
