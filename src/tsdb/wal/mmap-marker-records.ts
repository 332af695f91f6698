/**
 * Markers, type 5 (docs/format/wal.md): in the out-of-order log, that all samples of a series so far are in a chunk of
 * chunks_head/.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readInto } from './record-reader.ts';
import type { RecordBatch } from './record-reader.ts';
import { RECORD } from './records.ts';

/** Markers in columns, filled up to `length`. Arrays are replaced when they grow. */
export class MmapMarkerBatch implements RecordBatch {
  length = 0;
  refs = new Float64Array(0);
  /** The file of the chunk, by its sequence number, and where its entry begins there; both 0 for no chunk. */
  files = new Uint32Array(0);
  offsets = new Uint32Array(0);

  /** Forgets all markers; keeps the room. */
  clear(): void {
    this.length = 0;
  }

  truncate(length: number): void {
    this.length = length;
  }

  /** Appends a marker: the series' samples so far are in the chunk at an offset of a file. */
  add(ref: number, chunk: { readonly file: number; readonly offset: number }): void {
    const i = this.length++;
    if (i === this.refs.length) {
      const capacity = Math.max(16, i * 2);
      const { refs, files, offsets } = this;
      this.refs = new Float64Array(capacity);
      this.files = new Uint32Array(capacity);
      this.offsets = new Uint32Array(capacity);
      this.refs.set(refs);
      this.files.set(files);
      this.offsets.set(offsets);
    }
    this.refs[i] = ref;
    this.files[i] = chunk.file;
    this.offsets[i] = chunk.offset;
  }
}

/** Appends the markers of a record of type 5. @throws CorruptionError; the batch is then as it was. */
export function decodeMmapMarkers(record: Uint8Array, batch: MmapMarkerBatch, where: string): void {
  readInto(batch, new RecordReader(record, where), (reader) => {
    const type = reader.byte();
    if (type !== RECORD.mmapMarkers)
      throw reader.error(`record of type ${type}, want mmap markers`);
    while (reader.more) {
      const ref = reader.u64('series ref');
      const at = reader.skip(8);
      batch.add(ref, { file: readU32(record, at), offset: readU32(record, at + 4) });
    }
  });
}

/** A record of type 5 with all markers of a batch, in memory of its own. */
export function encodeMmapMarkers(batch: MmapMarkerBatch): Uint8Array {
  const builder = new RecordBuilder();
  builder.begin(RECORD.mmapMarkers);
  for (let i = 0; i < batch.length; i++) {
    builder.u64(batch.refs[i] as number);
    builder.halves(batch.files[i] as number, batch.offsets[i] as number);
  }
  return builder.take();
}
