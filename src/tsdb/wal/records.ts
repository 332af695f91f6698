/**
 * WAL records (docs/format/wal.md): the type byte, and series records. Samples records of `wal/` are made and read by
 * the ingest kernel; the other types have a file each beside this one. Prometheus tsdb/record/record.go is the format's home.
 */
import { readU64 } from '../../lib/big-endian.ts';
import { ShortBytesError, readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';

/** The first byte of a record. */
export const RECORD = {
  series: 1,
  samples: 2,
  tombstones: 3,
  exemplars: 4,
  mmapMarkers: 5,
  metadata: 6,
  histograms: 7,
  floatHistograms: 8,
  customHistograms: 9,
  customFloatHistograms: 10,
  samplesV2: 11,
  histogramsV2: 12,
  floatHistogramsV2: 13,
} as const;

/** What each record type holds, for messages. */
export const RECORD_NAMES: readonly string[] = [
  'unknown',
  'series',
  'samples',
  'tombstones',
  'exemplars',
  'mmap markers',
  'metadata',
  'native histograms',
  'native float histograms',
  'custom-bucket histograms',
  'custom-bucket float histograms',
  'samples with start timestamps',
  'native histograms with start timestamps',
  'native float histograms with start timestamps',
];

/** A series record under construction: `encodeSeries` appends entries to it. */
export class SeriesRecordBuilder {
  #bytes = new Uint8Array(4096);
  #size = 0;

  /** The record so far, empty when it has no entries. Valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Begins a new record. */
  clear(): void {
    this.#size = 0;
  }

  /** Appends a series: its ref and its labels (name, value, … as UTF-8, sorted by name). */
  add(ref: number, labels: readonly Uint8Array[]): void {
    let need = this.#size + 20;
    for (const part of labels) need += part.length + sizeUvarint(part.length);
    if (need > this.#bytes.length) {
      const more = new Uint8Array(Math.max(need, this.#bytes.length * 2));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    const bytes = this.#bytes;
    let at = this.#size;
    if (at === 0) bytes[at++] = RECORD.series;
    const view = new DataView(bytes.buffer);
    view.setUint32(at, Math.floor(ref / 4294967296));
    view.setUint32(at + 4, ref);
    at = writeUvarint(bytes, at + 8, labels.length / 2);
    for (const part of labels) {
      at = writeUvarint(bytes, at, part.length);
      bytes.set(part, at);
      at += part.length;
    }
    this.#size = at;
  }
}

/** A series of a record: labels are name, value, … as views into it. */
export interface SeriesEntry {
  readonly ref: number;
  readonly labels: Uint8Array[];
}

/**
 * Reads a series record; `labels` given to `onSeries` are views into it.
 * @throws ShortBytesError when the record ends early.
 */
export function decodeSeriesRecord(
  record: Uint8Array,
  onSeries: (ref: number, labels: Uint8Array[]) => void,
): void {
  const cursor: ByteCursor = { bytes: record, pos: 1, end: record.length };
  while (cursor.pos < cursor.end) {
    const { ref, labels } = readSeriesEntry(cursor);
    onSeries(ref, labels);
  }
}

/** Reads the entry of a series record at the cursor. @throws ShortBytesError when the record ends early. */
export function readSeriesEntry(cursor: ByteCursor): SeriesEntry {
  const { bytes } = cursor;
  if (cursor.end - cursor.pos < 8) throw new ShortBytesError();
  const ref = readU64(bytes, cursor.pos);
  cursor.pos += 8;
  const count = readUvarint(cursor);
  const labels: Uint8Array[] = [];
  for (let i = 0; i < count * 2; i++) {
    const size = readUvarint(cursor);
    if (size > cursor.end - cursor.pos) throw new ShortBytesError();
    labels.push(bytes.subarray(cursor.pos, cursor.pos + size));
    cursor.pos += size;
  }
  return { ref, labels };
}
