/**
 * What a checkpoint keeps of a record, by Prometheus' rules (tsdb/wlog/checkpoint.go). Entries are copied as bytes: nothing
 * of one that is kept changes, and what this version does not understand of it is kept with it.
 */
import { CodedError } from '../../lib/errors.ts';
import { readUvarint, readVarint } from '../../lib/varint.ts';
import { HistogramReader } from './encoded-histogram.ts';
import { histogramRecord } from './histogram-records.ts';
import { LatestMetadata } from './latest-metadata.ts';
import { RecordBuilder } from './record-builder.ts';
import { RecordReader, readWhole } from './record-reader.ts';
import { RECORD } from './records.ts';
import { StartTimestampReader, StartTimestampWriter } from './start-timestamp.ts';

/** Type byte, base ref and base time of most records. */
const BASES_BYTES = 17;
const VALUE_BYTES = 8;
const NOTHING = new Uint8Array(0);

/** How many entries of each kind a checkpoint has kept and left out. Samples are those of all kinds, histograms too. */
export interface CheckpointCounts {
  seriesKept: number;
  seriesDropped: number;
  samplesKept: number;
  samplesDropped: number;
  exemplarsKept: number;
  exemplarsDropped: number;
  tombstonesKept: number;
  tombstonesDropped: number;
  metadataKept: number;
  metadataDropped: number;
}

/** What a checkpoint leaves out. */
export interface FilterOptions {
  /** Samples and exemplars before it (ms), and deletions that end before it. */
  readonly mint: number;
  /** Refs, ascending, whose series, deletions and metadata are left out. */
  readonly deadRefs?: Float64Array;
}

/** Takes the records of a log in order. */
export class CheckpointFilter {
  readonly counts: CheckpointCounts = {
    seriesKept: 0,
    seriesDropped: 0,
    samplesKept: 0,
    samplesDropped: 0,
    exemplarsKept: 0,
    exemplarsDropped: 0,
    tombstonesKept: 0,
    tombstonesDropped: 0,
    metadataKept: 0,
    metadataDropped: 0,
  };
  readonly #mint: number;
  readonly #deadRefs: Float64Array;
  readonly #histograms = new HistogramReader();
  readonly #metadata = new LatestMetadata();
  #sound: Output | undefined;

  constructor({ mint, deadRefs = new Float64Array(0) }: FilterOptions) {
    this.#mint = mint;
    this.#deadRefs = deadRefs;
  }

  /**
   * What a checkpoint holds in place of a record, in memory of its own; empty for nothing. Metadata comes at the end.
   * @throws CorruptionError; CodedError not_implemented for a type that is not known.
   */
  filter(record: Uint8Array, where: string): Uint8Array {
    const reader = new RecordReader(record, where);
    this.#sound = undefined;
    return readWhole(reader, () => (reader.more ? this.#filter(reader) : NOTHING));
  }

  /**
   * What a checkpoint keeps of the record that {@link filter} has just refused as corrupt: of series and samples the
   * entries before the fault, of others nothing, as replay takes them.
   */
  soundPart(): Uint8Array {
    return this.#sound?.bytes ?? NOTHING;
  }

  /** Records with the latest metadata of each series. */
  *metadata(): IterableIterator<Uint8Array> {
    this.counts.metadataKept += this.#metadata.size;
    this.counts.metadataDropped -= this.#metadata.size;
    yield* this.#metadata.records();
  }

  #filter(reader: RecordReader): Uint8Array {
    const type = reader.byte();
    switch (type) {
      case RECORD.series:
        return this.#series(reader);
      case RECORD.samples:
      case RECORD.exemplars:
      case RECORD.histograms:
      case RECORD.floatHistograms:
      case RECORD.customHistograms:
      case RECORD.customFloatHistograms:
        return this.#withBases(reader, type);
      case RECORD.samplesV2:
      case RECORD.histogramsV2:
      case RECORD.floatHistogramsV2:
        return this.#withStarts(reader, type);
      case RECORD.tombstones:
        return this.#tombstones(reader);
      case RECORD.metadata:
        this.#takeMetadata(reader);
        return NOTHING;
      case RECORD.mmapMarkers:
        // They belong to the out-of-order log; Prometheus drops them, too.
        return NOTHING;
      default:
        throw new CodedError(
          'not_implemented',
          `WAL record of type ${type} is not known (${reader.where})`,
        );
    }
  }

  #series(reader: RecordReader): Uint8Array {
    const out = new Output(reader, 1);
    this.#sound = out;
    while (reader.more) {
      const from = reader.pos;
      const alive = !this.#isDead(reader.u64('series ref'));
      reader.skipLabels();
      if (alive) out.keep(from);
      this.counts[alive ? 'seriesKept' : 'seriesDropped']++;
    }
    return out.bytes;
  }

  #tombstones(reader: RecordReader): Uint8Array {
    const out = new Output(reader, 1);
    while (reader.more) {
      const from = reader.pos;
      const alive = !this.#isDead(reader.u64('series ref'));
      readVarint(reader);
      const keep = readVarint(reader) >= this.#mint && alive;
      if (keep) out.keep(from);
      this.counts[keep ? 'tombstonesKept' : 'tombstonesDropped']++;
    }
    return out.bytes;
  }

  /** Entries that count from the record's bases, not from each other: they can be left out one by one. */
  #withBases(reader: RecordReader, type: number): Uint8Array {
    if (!reader.more) return NOTHING;
    reader.skip(8);
    const baseTime = reader.roughI64();
    const out = new Output(reader, BASES_BYTES);
    if (type === RECORD.samples) this.#sound = out;
    while (reader.more) {
      const from = reader.pos;
      readUvarint(reader);
      const keep = baseTime + readVarint(reader) >= this.#mint;
      this.#skipBody(reader, type);
      if (keep) out.keep(from);
      this.#count(type, keep);
    }
    return out.bytes;
  }

  /** Entries that count from the one before: the heads of those that stay are written anew. */
  #withStarts(reader: RecordReader, type: number): Uint8Array {
    const builder = new RecordBuilder();
    builder.begin(type);
    const head = new StartTimestampReader();
    const newHead = new StartTimestampWriter();
    while (reader.more) {
      head.read(reader);
      const body = reader.pos;
      this.#skipBody(reader, type);
      const keep = head.t >= this.#mint;
      this.#count(type, keep);
      if (!keep) continue;
      newHead.write(builder, head.ref, head.t, head.st);
      builder.put(reader.bytes, body, reader.pos);
    }
    return builder.size > 1 ? builder.take() : NOTHING;
  }

  /** Passes over what an entry holds behind its ref and time. */
  #skipBody(reader: RecordReader, type: number): void {
    const histogram = histogramRecord(type);
    if (histogram === undefined) reader.skip(VALUE_BYTES);
    else this.#histograms.read(reader, histogram.isFloat);
    if (type === RECORD.exemplars) reader.skipLabels();
  }

  #takeMetadata(reader: RecordReader): void {
    while (reader.more) {
      const ref = reader.uvarint('series ref');
      const from = reader.pos;
      reader.skip(1);
      for (let left = reader.count(2) * 2; left > 0; left--) reader.sized();
      if (!this.#isDead(ref)) this.#metadata.set(ref, reader.bytes.subarray(from, reader.pos));
      this.counts.metadataDropped++;
    }
  }

  #count(type: number, keep: boolean): void {
    if (type === RECORD.exemplars) this.counts[keep ? 'exemplarsKept' : 'exemplarsDropped']++;
    else this.counts[keep ? 'samplesKept' : 'samplesDropped']++;
  }

  #isDead(ref: number): boolean {
    const refs = this.#deadRefs;
    let low = 0;
    for (let high = refs.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((refs[middle] as number) < ref) low = middle + 1;
      else high = middle;
    }
    return refs[low] === ref;
  }
}

/** The entries of a record that are kept, behind its head. */
class Output {
  readonly #reader: RecordReader;
  readonly #bytes: Uint8Array;
  readonly #headBytes: number;
  #size: number;

  constructor(reader: RecordReader, headBytes: number) {
    this.#reader = reader;
    this.#headBytes = headBytes;
    this.#bytes = new Uint8Array(reader.bytes.length);
    this.#bytes.set(reader.bytes.subarray(0, headBytes));
    this.#size = headBytes;
  }

  /** Keeps an entry that ends where the reader is. */
  keep(from: number): void {
    const { bytes, pos } = this.#reader;
    this.#bytes.set(bytes.subarray(from, pos), this.#size);
    this.#size += pos - from;
  }

  /** The record, empty when nothing was kept. */
  get bytes(): Uint8Array {
    return this.#size === this.#headBytes ? NOTHING : this.#bytes.subarray(0, this.#size);
  }
}
