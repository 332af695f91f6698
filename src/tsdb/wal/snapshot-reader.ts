/**
 * Reads a snapshot of the head in memory (docs/format/chunk-snapshot.md). It is whole or it is not used: whatever is wrong
 * with it is an error, and the log has everything from its checkpoint on.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readU32 } from '../../lib/big-endian.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { readUvarint } from '../../lib/varint.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { HistogramReader } from './encoded-histogram.ts';
import { ExemplarBatch, readExemplars } from './exemplar-records.ts';
import { segmentName } from './page-format.ts';
import { RecordReader, readInto, readWhole } from './record-reader.ts';
import {
  LAST_OF_ENCODING,
  SNAPSHOT_RECORD,
  SNAPSHOT_TOMBSTONES_VERSION,
} from './snapshot-format.ts';
import type { SnapshotChunk, SnapshotSeries } from './snapshot-format.ts';
import { TombstoneBatch, readLimit } from './tombstone-records.ts';
import { readSegment } from './wal-reader.ts';
import { segmentIndexes } from './wal-writer.ts';

/** Bytes of the three last samples that are not used any more, and of the time of the fourth. */
const UNUSED_LAST_SAMPLES_BYTES = 3 * 16 + 8;

/** What a snapshot's content goes to. All bytes and batches are valid during the call only. */
export interface SnapshotHandlers {
  readonly onSeries: (series: SnapshotSeries) => void;
  readonly onTombstones: (tombstones: TombstoneBatch) => void;
  /** Called once for each record; all series have come before. */
  readonly onExemplars: (exemplars: ExemplarBatch) => void;
}

/**
 * Reads the snapshot in a directory. Handlers may have been called before an error comes: whoever they filled must be
 * emptied then, and filled from the log. What they throw goes through.
 * @throws CorruptionError with file and offset.
 */
export function readSnapshot(directory: string, handlers: SnapshotHandlers): void {
  const reader = new SnapshotReader(handlers);
  const segments = segmentIndexes(directory);
  if (segments.length === 0) {
    const inside = readdirSync(directory).length;
    throw new CorruptionError(`snapshot without segments among ${inside} files`, directory, 0);
  }
  for (const [i, index] of segments.entries()) {
    const path = join(directory, segmentName(index));
    if (i !== index) throw new CorruptionError(`segment ${i} of a snapshot is missing`, path, 0);
    readSegment(
      directory,
      index,
      (record, offset) => reader.read(record, `${path} at ${offset}`),
      ({ file, offset, reason }) => {
        throw new CorruptionError(reason, file, offset);
      },
    );
  }
}

class SnapshotReader {
  readonly #handlers: SnapshotHandlers;
  readonly #histograms = new HistogramReader();
  readonly #columns = new HistogramColumns();
  readonly #lastValue = new Uint32Array(2);
  readonly #tombstones = new TombstoneBatch();
  readonly #exemplars = new ExemplarBatch();

  constructor(handlers: SnapshotHandlers) {
    this.#handlers = handlers;
  }

  read(record: Uint8Array, where: string): void {
    const reader = new RecordReader(record, where);
    const { onSeries, onTombstones, onExemplars } = this.#handlers;
    const type = record[0] ?? 0;
    switch (type) {
      case SNAPSHOT_RECORD.series: {
        // Errors of the handler are its own: it is called behind the reading.
        const series = readWhole(reader, () => this.#readSeries(reader));
        onSeries(series);
        return;
      }
      case SNAPSHOT_RECORD.tombstones:
        this.#readTombstones(reader);
        onTombstones(this.#tombstones);
        return;
      case SNAPSHOT_RECORD.exemplars:
        this.#exemplars.clear();
        readInto(this.#exemplars, reader, () => {
          reader.skip(1);
          readExemplars(reader, this.#exemplars);
        });
        onExemplars(this.#exemplars);
        return;
      default:
        throw reader.error(`snapshot record of type ${type} is not known`);
    }
  }

  #readSeries(reader: RecordReader): SnapshotSeries {
    this.#columns.clear();
    reader.skip(1);
    const ref = reader.u64('series ref');
    const labels: Uint8Array[] = [];
    for (let left = reader.count(2) * 2; left > 0; left--) {
      labels.push(reader.bytes.subarray(reader.sized(), reader.pos));
    }
    // The time range of chunks, which is not used any more.
    reader.skip(8);
    const chunk = readUvarint(reader) === 0 ? undefined : this.#readChunk(reader);
    if (reader.more) throw reader.error(`${reader.end - reader.pos} bytes behind a series`);
    return { ref, labels, ...(chunk && { chunk }) };
  }

  #readChunk(reader: RecordReader): SnapshotChunk {
    const mint = reader.i64('time');
    const maxt = reader.i64('time');
    const encoding = reader.byte();
    const bytes = reader.bytes.subarray(reader.sized(), reader.pos);
    const base = { mint, maxt, encoding, bytes };
    const kind = LAST_OF_ENCODING.get(encoding);
    if (kind === undefined) throw reader.error(`chunk of encoding ${encoding} is not known`);
    if (kind === 'float') {
      reader.skip(UNUSED_LAST_SAMPLES_BYTES);
      const at = reader.skip(8);
      this.#lastValue[1] = readU32(reader.bytes, at);
      this.#lastValue[0] = readU32(reader.bytes, at + 4);
      return { ...base, lastValue: this.#lastValue };
    }
    if (!this.#histograms.read(reader, kind === 'floatHistogram')) {
      throw reader.error('histogram with an unknown schema');
    }
    const row = this.#histograms.appendTo(this.#columns, maxt);
    return { ...base, lastHistogram: { columns: this.#columns, row } };
  }

  #readTombstones(reader: RecordReader): void {
    const stones = this.#tombstones;
    stones.clear();
    readInto(stones, reader, () => {
      reader.skip(1);
      const at = reader.sized();
      if (reader.more) throw reader.error('bytes behind the deletions');
      reader.pos = at;
      const version = reader.byte();
      if (version !== SNAPSHOT_TOMBSTONES_VERSION) {
        throw reader.error(`deletions of version ${version}, want ${SNAPSHOT_TOMBSTONES_VERSION}`);
      }
      while (reader.more) {
        const ref = reader.uvarint('series ref');
        const mint = readLimit(reader);
        stones.add(ref, mint, readLimit(reader));
      }
    });
  }
}
