/** Tombstone records, type 3 (docs/format/wal.md): deleted time ranges of series. */
import { readVarint } from '../../lib/varint.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';

/** Deleted ranges in columns, filled up to `length`. Arrays are replaced when they grow. */
export class TombstoneBatch implements RecordBatch {
  length = 0;
  refs = new Float64Array(0);
  /** First and last deleted time in ms. Times beyond 2^53 are those limits: all times of ours lie between. */
  mint = new Float64Array(0);
  maxt = new Float64Array(0);

  /** Forgets all ranges; keeps the room. */
  clear(): void {
    this.length = 0;
  }

  truncate(length: number): void {
    this.length = length;
  }

  /** Appends a range. */
  add(ref: number, mint: number, maxt: number): void {
    const i = this.length++;
    if (i === this.refs.length) {
      for (const name of ['refs', 'mint', 'maxt'] as const) {
        const next = new Float64Array(Math.max(16, i * 2));
        next.set(this[name]);
        this[name] = next;
      }
    }
    this.refs[i] = ref;
    this.mint[i] = mint;
    this.maxt[i] = maxt;
  }
}

/** Appends the ranges of a record of type 3. @throws CorruptionError; the batch is then as it was. */
export function decodeTombstoneRecord(
  record: Uint8Array,
  batch: TombstoneBatch,
  where: string,
): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const type = reader.byte();
    if (type !== RECORD.tombstones) throw reader.error(`record of type ${type}, want tombstones`);
    while (reader.more) {
      const ref = reader.u64('series ref');
      const mint = readLimit(reader);
      batch.add(ref, mint, readLimit(reader));
    }
  });
}

/** A time of a deleted range: one that a double does not hold is as good as the largest that it does. */
export function readLimit(reader: RecordReader): number {
  const time = readVarint(reader);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, time));
}

/** A record of type 3 with all ranges of a batch, in memory of its own. */
export function encodeTombstoneRecord(batch: TombstoneBatch): Uint8Array {
  const builder = new RecordBuilder();
  builder.begin(RECORD.tombstones);
  for (let i = 0; i < batch.length; i++) {
    builder.u64(batch.refs[i] as number);
    builder.varint(batch.mint[i] as number);
    builder.varint(batch.maxt[i] as number);
  }
  return builder.take();
}
