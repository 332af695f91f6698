/**
 * Writes a snapshot of the head in memory (docs/format/chunk-snapshot.md), so that the next start need not read the log
 * from its beginning. It has its name only when it is whole and durable.
 */
import { join } from 'node:path';
import { CodedError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import { writeHistogram } from './encoded-histogram.ts';
import { encodeExemplars } from './exemplar-records.ts';
import type { ExemplarBatch } from './exemplar-records.ts';
import { RecordBuilder } from './record-builder.ts';
import type { RecordCompression } from './record-compression.ts';
import {
  LAST_OF_ENCODING,
  SNAPSHOT_RECORD,
  SNAPSHOT_TOMBSTONES_VERSION,
  removeSnapshots,
  snapshotName,
} from './snapshot-format.ts';
import type { SnapshotChunk, SnapshotSeries } from './snapshot-format.ts';
import { writeManifest } from './snapshot-manifest.ts';
import type { TombstoneBatch } from './tombstone-records.ts';
import { WalWriter } from './wal-writer.ts';

/** limit: bytes of records that are written at a time. */
const BATCH_BYTES = 1 << 20;
/** limit: exemplars a record, as Prometheus has it. */
const EXEMPLARS_A_RECORD = 10_000;
/** Three of the four last samples that older versions kept: time and value each, and the time of the fourth. */
const UNUSED_LAST_SAMPLES = new Uint8Array(3 * 16 + 8);

/** Where a snapshot goes, and what it stands for. */
export interface SnapshotOptions {
  /** The directory of the TSDB. */
  readonly directory: string;
  /** The open segment of the log and the end of its last record: everything before it is in the snapshot. */
  readonly segment: number;
  readonly offset: number;
  readonly files: FileLayer;
  readonly log: Logger;
  /** Snappy unless it is given. */
  readonly compression?: RecordCompression;
}

/** What a snapshot holds. */
export interface SnapshotContent {
  /** Each series is written before the next one is asked for: its buffers may be used again then. */
  readonly series: Iterable<SnapshotSeries>;
  readonly tombstones: TombstoneBatch;
  /** In the order in which they came. */
  readonly exemplars: ExemplarBatch;
}

/** What became of it. */
export interface SnapshotReport {
  /** The directory's name. */
  readonly name: string;
  readonly series: number;
  readonly chunks: number;
}

/**
 * Writes a snapshot and deletes the others. What it relies on in chunks_head/ must be durable.
 * @throws CodedError unavailable when the disk refuses, and what `series` throws: older ones are then where they were.
 */
export function writeSnapshot(options: SnapshotOptions, content: SnapshotContent): SnapshotReport {
  const { directory, files } = options;
  const name = snapshotName(options.segment, options.offset);
  const temporary = join(directory, `${name}.tmp`);
  files.remove(temporary);
  const writer = new SnapshotWriter(temporary, options);
  try {
    for (const series of content.series) writer.add(series);
    writer.addTombstones(content.tombstones);
    writer.addExemplars(content.exemplars);
    writer.close();
    writeManifest(files, { snapshot: temporary, chunks: join(directory, 'chunks_head') });
    // One of the same name stands for the same point of the log; a rename does not replace a directory.
    files.remove(join(directory, name));
    files.rename(temporary, join(directory, name));
    files.fsyncDirectory(directory);
  } catch (thrown) {
    writer.abort();
    files.remove(temporary);
    throw thrown;
  }
  removeSnapshots(directory, files, name);
  return { name, series: writer.series, chunks: writer.chunks };
}

class SnapshotWriter {
  series = 0;
  chunks = 0;
  readonly #wal: WalWriter;
  readonly #builder = new RecordBuilder();
  #batch: Uint8Array[] = [];
  #batchBytes = 0;

  constructor(directory: string, { files, log, compression }: SnapshotOptions) {
    this.#wal = new WalWriter({ directory, files, log, ...(compression && { compression }) });
  }

  add({ ref, labels, chunk }: SnapshotSeries): void {
    const builder = this.#builder;
    builder.begin(SNAPSHOT_RECORD.series);
    builder.u64(ref);
    builder.labels(labels);
    // Was the time range of chunks.
    builder.u64(0);
    builder.uvarint(chunk === undefined ? 0 : 1);
    if (chunk !== undefined) this.#addChunk(chunk);
    this.series++;
    this.#log(builder.take());
  }

  #addChunk(chunk: SnapshotChunk): void {
    const builder = this.#builder;
    builder.u64(chunk.mint);
    builder.u64(chunk.maxt);
    builder.byte(chunk.encoding);
    builder.sized(chunk.bytes);
    const { lastValue, lastHistogram } = chunk;
    const kind = LAST_OF_ENCODING.get(chunk.encoding);
    if (kind === 'float' && lastValue !== undefined) {
      builder.put(UNUSED_LAST_SAMPLES);
      builder.halves(lastValue[1] as number, lastValue[0] as number);
    } else if (
      lastHistogram !== undefined &&
      kind ===
        (lastHistogram.columns.isFloat[lastHistogram.row] === 1 ? 'floatHistogram' : 'histogram')
    ) {
      writeHistogram(builder, lastHistogram.columns, lastHistogram.row);
    } else {
      throw new CodedError(
        'internal',
        `the last value of a chunk of encoding ${chunk.encoding} is missing or of another kind`,
      );
    }
    this.chunks++;
  }

  /** One record, also when there are none. */
  addTombstones({ length, refs, mint, maxt }: TombstoneBatch): void {
    const stones = new RecordBuilder();
    stones.begin(SNAPSHOT_TOMBSTONES_VERSION);
    for (let i = 0; i < length; i++) {
      stones.uvarint(refs[i] as number);
      stones.varint(mint[i] as number);
      stones.varint(maxt[i] as number);
    }
    this.#builder.begin(SNAPSHOT_RECORD.tombstones);
    this.#builder.sized(stones.take());
    this.#log(this.#builder.take());
  }

  addExemplars(exemplars: ExemplarBatch): void {
    for (let from = 0; from < exemplars.length; from += EXEMPLARS_A_RECORD) {
      const to = Math.min(from + EXEMPLARS_A_RECORD, exemplars.length);
      this.#log(encodeExemplars(exemplars, { from, to, type: SNAPSHOT_RECORD.exemplars }));
    }
  }

  /** Writes what is left and makes everything durable. */
  close(): void {
    this.#flush();
    this.#wal.close();
  }

  /** Closes without writing. Never throws. */
  abort(): void {
    try {
      this.#wal.close();
    } catch {
      // Its directory is deleted next, and the error that led here is what the caller throws.
    }
  }

  #log(record: Uint8Array): void {
    this.#batch.push(record);
    this.#batchBytes += record.length;
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#batch.length > 0) this.#wal.log(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
  }
}
