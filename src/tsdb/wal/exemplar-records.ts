/** Exemplar records, type 4 (docs/format/wal.md), to and from columns. */
import { readU32 } from '../../lib/big-endian.ts';
import { ByteArena } from './byte-arena.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';
import { SampleBatch } from './sample-records.ts';

/** Exemplars in columns, filled up to `length`. Values are bits, as in {@link SampleBatch}. */
export class ExemplarBatch implements RecordBatch {
  /** Ref, time and value of each; start timestamps are not used. */
  readonly samples = new SampleBatch();
  readonly #labels = new ByteArena();
  readonly #builder = new RecordBuilder();

  get length(): number {
    return this.samples.length;
  }

  /** Forgets all exemplars; keeps the room. */
  clear(): void {
    this.truncate(0);
  }

  truncate(length: number): void {
    this.samples.truncate(length);
    this.#labels.truncate(length);
  }

  /** Appends an exemplar with its labels (name, value, … as UTF-8) and answers its number; the value is left to set. */
  add(ref: number, t: number, labels: readonly Uint8Array[]): number {
    this.#builder.begin(0);
    this.#builder.labels(labels);
    return this.addEncoded(ref, t, this.#builder.take().subarray(1));
  }

  /** The same with labels as {@link encodedLabelsAt} answers them. */
  addEncoded(ref: number, t: number, labels: Uint8Array): number {
    this.#labels.add(labels);
    return this.samples.add(ref, t);
  }

  /** The labels of the i-th exemplar: name, value, … as UTF-8; views, valid until the batch is added to. */
  labelsAt(i: number): Uint8Array[] {
    const bytes = this.#labels.at(i);
    const reader = new RecordReader(bytes, 'exemplar labels');
    const parts: Uint8Array[] = [];
    for (let left = reader.count(2) * 2; left > 0; left--) {
      parts.push(bytes.subarray(reader.sized(), reader.pos));
    }
    return parts;
  }

  /** The same as they are in a record: their number, then lengths and bytes. */
  encodedLabelsAt(i: number): Uint8Array {
    return this.#labels.at(i);
  }
}

/** Appends the exemplars of a record of type 4. @throws CorruptionError; the batch is then as it was. */
export function decodeExemplars(record: Uint8Array, batch: ExemplarBatch, where: string): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const type = reader.byte();
    if (type !== RECORD.exemplars) throw reader.error(`record of type ${type}, want exemplars`);
    readExemplars(reader, batch);
  });
}

/** Reads exemplars from behind the type byte, up to the end. */
export function readExemplars(reader: RecordReader, batch: ExemplarBatch): void {
  if (!reader.more) return;
  const { bytes } = reader;
  const baseRef = reader.u64('series ref');
  const baseTime = reader.i64('time');
  while (reader.more) {
    const ref = reader.ref(baseRef);
    const t = reader.plus(baseTime, 'time');
    const value = reader.skip(8);
    const labels = reader.pos;
    reader.skipLabels();
    const i = batch.addEncoded(ref, t, bytes.subarray(labels, reader.pos));
    batch.samples.halves[2 * i + 1] = readU32(bytes, value);
    batch.samples.halves[2 * i] = readU32(bytes, value + 4);
  }
}

/**
 * A record with the exemplars from..to of a batch, in memory of its own. `type` is that of a snapshot's record there,
 * which is alike but for its first byte.
 */
export function encodeExemplars(
  batch: ExemplarBatch,
  range: { readonly from?: number; readonly to?: number; readonly type?: number } = {},
): Uint8Array {
  const { from = 0, to = batch.length, type = RECORD.exemplars } = range;
  const { refs, t, halves } = batch.samples;
  const builder = new RecordBuilder();
  builder.begin(type);
  if (from >= to) return builder.take();
  const baseRef = refs[from] as number;
  const baseTime = t[from] as number;
  builder.u64(baseRef);
  builder.u64(baseTime);
  for (let i = from; i < to; i++) {
    builder.difference(refs[i] as number, baseRef);
    builder.difference(t[i] as number, baseTime);
    builder.halves(halves[2 * i + 1] as number, halves[2 * i] as number);
    builder.put(batch.encodedLabelsAt(i));
  }
  return builder.take();
}
