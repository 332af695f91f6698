/** Metadata records, type 6 (docs/format/wal.md): the type, unit and help of a series' metric. */
import { encodeUtf8 } from '../../lib/utf8.ts';
import { ByteArena } from './byte-arena.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';

/** The byte for each metric type, by the type's name in the API. */
export const METRIC_TYPE = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
} as const;

const UNIT = encodeUtf8('UNIT');
const HELP = encodeUtf8('HELP');
const NONE = new Uint8Array(0);

/** Metadata in columns, filled up to `length`. Arrays are replaced when they grow. */
export class MetadataBatch implements RecordBatch {
  length = 0;
  refs = new Float64Array(0);
  /** One of METRIC_TYPE. */
  types = new Uint8Array(0);
  readonly #units = new ByteArena();
  readonly #helps = new ByteArena();

  /** Forgets all entries; keeps the room. */
  clear(): void {
    this.truncate(0);
  }

  truncate(length: number): void {
    this.length = length;
    this.#units.truncate(length);
    this.#helps.truncate(length);
  }

  /** Appends an entry; unit and help are UTF-8 and copied. */
  add(
    ref: number,
    content: { readonly type: number; readonly unit: Uint8Array; readonly help: Uint8Array },
  ): void {
    const i = this.length++;
    if (i === this.refs.length) {
      const { refs, types } = this;
      this.refs = new Float64Array(Math.max(16, i * 2));
      this.types = new Uint8Array(this.refs.length);
      this.refs.set(refs);
      this.types.set(types);
    }
    this.refs[i] = ref;
    this.types[i] = content.type;
    this.#units.add(content.unit);
    this.#helps.add(content.help);
  }

  /** The unit of the i-th entry as UTF-8: a view, valid until the batch is added to. */
  unitAt(i: number): Uint8Array {
    return this.#units.at(i);
  }

  /** The help of the i-th entry as UTF-8: a view, valid until the batch is added to. */
  helpAt(i: number): Uint8Array {
    return this.#helps.at(i);
  }
}

/**
 * Appends the entries of a record of type 6; fields other than unit and help are passed over.
 * @throws CorruptionError; the batch is then as it was.
 */
export function decodeMetadata(record: Uint8Array, batch: MetadataBatch, where: string): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const recordType = reader.byte();
    if (recordType !== RECORD.metadata)
      throw reader.error(`record of type ${recordType}, want metadata`);
    while (reader.more) {
      const ref = reader.uvarint('series ref');
      const type = reader.byte();
      let unit: Uint8Array = NONE;
      let help: Uint8Array = NONE;
      for (let left = reader.count(2); left > 0; left--) {
        const name = record.subarray(reader.sized(), reader.pos);
        const value = record.subarray(reader.sized(), reader.pos);
        if (same(name, UNIT)) unit = value;
        else if (same(name, HELP)) help = value;
      }
      batch.add(ref, { type, unit, help });
    }
  });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A record of type 6 with all entries of a batch, in memory of its own. */
export function encodeMetadata(batch: MetadataBatch): Uint8Array {
  const builder = new RecordBuilder();
  builder.begin(RECORD.metadata);
  for (let i = 0; i < batch.length; i++) {
    builder.uvarint(batch.refs[i] as number);
    builder.byte(batch.types[i] as number);
    builder.uvarint(2);
    builder.sized(UNIT);
    builder.sized(batch.unitAt(i));
    builder.sized(HELP);
    builder.sized(batch.helpAt(i));
  }
  return builder.take();
}
