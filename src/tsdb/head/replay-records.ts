/** What replay does with each record of the two logs (docs/format/wal.md). */
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import { ExemplarBatch, decodeExemplars } from '../wal/exemplar-records.ts';
import { HistogramBatch, decodeHistograms, histogramRecord } from '../wal/histogram-records.ts';
import { MetadataBatch, decodeMetadata } from '../wal/metadata-records.ts';
import { MmapMarkerBatch, decodeMmapMarkers } from '../wal/mmap-marker-records.ts';
import { RECORD, RECORD_NAMES, readSeriesEntry } from '../wal/records.ts';
import { SampleBatch, decodeSamples, encodeSamples } from '../wal/sample-records.ts';
import { TombstoneBatch, decodeTombstoneRecord } from '../wal/tombstone-records.ts';
import { APPLY_BYTES_PER_SAMPLE } from './arena-ingest.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, HEADER, S, STAGE } from './arena-layout.ts';
import { deleteInterval } from './deleted-intervals.ts';
import type { HeadWriter } from './head-writer.ts';
import type { OwnedSeries } from './histogram-stager.ts';
import { RefTables } from './ref-tables.ts';
import type { ReplayChunks } from './replay-chunks.ts';

/** Room for the key of a series; longer ones are put together by TypeScript. */
const KEY_BYTES = 1 << 16;
/** limit: refs are u32 in the arenas, and stored plus one. */
const REF_MAX = 0xfffffffe;

/** Fills a head from records. */
export class RecordReplay {
  readonly #head: HeadWriter;
  readonly #chunks: ReplayChunks;
  readonly #refs: RefTables;
  readonly #floats = new SampleBatch();
  readonly #histograms = new HistogramBatch();
  readonly #exemplars = new ExemplarBatch();
  readonly #tombstones = new TombstoneBatch();
  readonly #metadata = new MetadataBatch();
  readonly #markers = new MmapMarkerBatch();
  /** Types of records that are not known, and how often each occurs. */
  readonly unknownTypes = new Map<string, number>();
  /** Samples, histograms, exemplars and deletions of series that the log does not name. */
  unknownRefs = 0;
  /** Samples and histograms whose start timestamps were left out. */
  startTimestamps = 0;

  constructor(head: HeadWriter, chunks: ReplayChunks) {
    this.#head = head;
    this.#chunks = chunks;
    this.#refs = new RefTables(head.arenas);
    for (const { arena } of head.arenas) {
      arena.setHeader(H.key, arena.allocRegion(KEY_BYTES));
      arena.setHeader(H.keyCapacity, KEY_BYTES);
    }
  }

  /** Gives the memory back that only replay needs. */
  close(): void {
    // With several arenas each counts the refs of the others as unknown.
    const { arenas } = this.#head;
    if (arenas.length === 1)
      this.unknownRefs += (arenas[0] as ArenaIngest).arena.header(H.unknownRefs);
    this.#refs.free();
    for (const { arena } of arenas) arena.freeRegion(arena.header(H.key), KEY_BYTES);
  }

  /** Takes a record of the WAL; `where` names it in errors. @throws CorruptionError; CodedError unavailable. */
  takeWal(record: Uint8Array, where: string): void {
    const type = record[0] ?? 0;
    if (type === RECORD.series) this.#takeSeries(record, where);
    else if (type === RECORD.samples) this.#takeSamples(record, where);
    else if (type === RECORD.samplesV2) this.#takeNewSamples(record, where);
    else if (histogramRecord(type) !== undefined) this.#takeHistograms(record, where);
    else if (type === RECORD.tombstones) this.#takeTombstones(record, where);
    else if (type === RECORD.exemplars) this.#takeExemplars(record, where);
    else if (type === RECORD.metadata) this.#takeMetadata(record, where);
    else if (type !== RECORD.mmapMarkers) this.#unknown(type);
  }

  /** Takes a record of the WBL, after all of the WAL. */
  takeWbl(record: Uint8Array, where: string): void {
    const type = record[0] ?? 0;
    if (type === RECORD.samples || type === RECORD.samplesV2) this.#takeLateSamples(record, where);
    else if (histogramRecord(type) !== undefined) this.#takeLateHistograms(record, where);
    else if (type === RECORD.mmapMarkers) this.#takeMarkers(record, where);
    else this.#unknown(type);
  }

  /** Makes a series known by a ref, and gives it the chunks that wait for it. */
  addSeries(ref: number, labels: readonly Uint8Array[]): OwnedSeries {
    const { arenas } = this.#head;
    const first = arenas[0] as ArenaIngest;
    const owner = arenas[first.series.arenaOf(labels, arenas.length)] as ArenaIngest;
    this.#head.reserveRef(ref);
    if (ref > REF_MAX) {
      throw new CodedError(
        'not_implemented',
        `series ref ${ref} is above 2^32, which is not implemented yet`,
      );
    }
    let series = owner.series.find(labels);
    if (series === 0) series = owner.series.create(ref, labels);
    const target = { owner, series };
    this.#refs.add(ref, target);
    this.#chunks.attach(ref, target);
    return target;
  }

  /** Deletes what a snapshot or log says is deleted. */
  addTombstones(batch: TombstoneBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const target = this.find(batch.refs[i] as number);
      if (target === undefined) continue;
      const mint = batch.mint[i] as number;
      deleteInterval(target.owner.arena, target.series, mint, batch.maxt[i] as number);
    }
  }

  /** Takes exemplars in, those that the head would have taken. */
  addExemplars(batch: ExemplarBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const target = this.find(batch.samples.refs[i] as number);
      if (target === undefined) continue;
      this.#head.exemplars.add(target.owner.arena.getI64(target.series + S.ref), {
        labels: batch.labelsAt(i).map((part) => part.slice()),
        t: batch.samples.t[i] as number,
        value: batch.samples.v[i] as number,
      });
    }
  }

  #unknown(type: number): void {
    const name = RECORD_NAMES[type] ?? `log records of type ${type}`;
    this.unknownTypes.set(name, (this.unknownTypes.get(name) ?? 0) + 1);
  }

  /** The series of a ref; undefined, and counted, when nothing names it. */
  find(ref: number): OwnedSeries | undefined {
    const target = this.#refs.find(ref);
    if (target !== undefined) return target;
    this.unknownRefs++;
    // A log that lost its series must not give their samples to new ones: the WBL is read behind all of the WAL.
    if (ref <= REF_MAX) this.#head.reserveRef(ref);
    return undefined;
  }

  #takeSeries(record: Uint8Array, where: string): void {
    try {
      for (const ingest of this.#head.arenas) this.#takeSeriesOf(ingest, record);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw new CorruptionError('series record ends early', where, 0);
    }
  }

  /** Every arena reads the whole record and takes its own series. @throws ShortBytesError */
  #takeSeriesOf(ingest: ArenaIngest, record: Uint8Array): void {
    const { arena, kernel } = ingest;
    ingest.copyIn(record);
    arena.setI64(HEADER + H.nextRef, this.#head.nextRef);
    for (let from = 1, more = true; more;) {
      this.#refs.makeRoom(ingest);
      const answer = kernel.replaySeries(HEADER, from, record.length);
      this.#head.reserveRef(arena.getI64(HEADER + H.nextRef) - 1);
      this.#attachChunks(ingest);
      if (answer === STAGE.malformed) throw new ShortBytesError();
      more = answer !== STAGE.done;
      from = arena.header(H.resume);
      if (answer !== STAGE.miss) continue;
      const cursor: ByteCursor = { bytes: record, pos: from, end: record.length };
      const { ref, labels } = readSeriesEntry(cursor);
      this.addSeries(ref, labels);
      from = cursor.pos;
    }
  }

  /** Gives the series that the kernel has listed the chunks that wait for them. */
  #attachChunks(owner: ArenaIngest): void {
    const { arena } = owner;
    const count = arena.header(H.stagedCount);
    const list = arena.header(H.staged);
    arena.setHeader(H.stagedCount, 0);
    if (!this.#chunks.isWaiting) return;
    for (let i = 0; i < count; i++) {
      const at = list + i * 8;
      this.#chunks.attach(arena.get(at), { owner, series: arena.get(at + 4) });
    }
  }

  /** Every arena reads the whole record: refs that it does not map belong to another one. */
  #takeSamples(record: Uint8Array, where: string): void {
    const { arenas } = this.#head;
    for (const ingest of arenas) {
      ingest.copyIn(record);
      let from = 1;
      while (from < record.length) {
        from = ingest.kernel.replay(HEADER, from, record.length);
        this.#head.collectCuts();
        if (from === 0) throw new CorruptionError('samples record ends early', where, 0);
        if (from < 0) throw ingest.arena.fullError(APPLY_BYTES_PER_SAMPLE);
      }
    }
  }

  #takeNewSamples(record: Uint8Array, where: string): void {
    this.#floats.clear();
    decodeSamples(record, this.#floats, where);
    for (let i = 0; i < this.#floats.length; i++)
      if (this.#floats.st[i] !== 0) this.startTimestamps++;
    if (this.#floats.length > 0) this.#takeSamples(encodeSamples(this.#floats), where);
  }

  #takeHistograms(record: Uint8Array, where: string): void {
    this.#histograms.clear();
    decodeHistograms(record, this.#histograms, where);
    const { columns, refs, st } = this.#histograms;
    for (let i = 0; i < columns.length; i++) {
      const target = this.find(refs[i] as number);
      if (target === undefined) continue;
      if (st[i] !== 0) this.startTimestamps++;
      const { owner, series } = target;
      const t = columns.t[i] as number;
      if (t < owner.arena.getI64(HEADER + H.minValidTime)) continue;
      const lastT = owner.arena.getI64(series + S.lastT);
      const writer = this.#head.histogramWriter(owner);
      if (t > lastT) {
        if (owner.cutsFull) this.#head.collectCuts();
        writer.append(series, columns, i);
      } else if (t === lastT) writer.keepNewest(series, columns, i);
    }
    this.#head.collectCuts();
  }

  #takeTombstones(record: Uint8Array, where: string): void {
    this.#tombstones.clear();
    decodeTombstoneRecord(record, this.#tombstones, where);
    this.addTombstones(this.#tombstones);
  }

  #takeExemplars(record: Uint8Array, where: string): void {
    this.#exemplars.clear();
    decodeExemplars(record, this.#exemplars, where);
    this.addExemplars(this.#exemplars);
  }

  #takeMetadata(record: Uint8Array, where: string): void {
    this.#metadata.clear();
    decodeMetadata(record, this.#metadata, where);
    for (let i = 0; i < this.#metadata.length; i++) {
      const target = this.#refs.find(this.#metadata.refs[i] as number);
      if (target === undefined) continue;
      this.#head.metadata.add({
        type: this.#metadata.types[i] as number,
        family: target.owner.metricName(target.series),
        help: this.#metadata.helpAt(i),
        unit: this.#metadata.unitAt(i),
      });
    }
  }

  #takeLateSamples(record: Uint8Array, where: string): void {
    const batch = this.#floats;
    batch.clear();
    decodeSamples(record, batch, where);
    for (let i = 0; i < batch.length; i++) {
      const target = this.find(batch.refs[i] as number);
      if (target === undefined) continue;
      if (batch.st[i] !== 0) this.startTimestamps++;
      const { halves } = batch;
      const t = batch.t[i] as number;
      this.#head.late.replayFloat(target, t, halves[2 * i] as number, halves[2 * i + 1] as number);
    }
  }

  #takeLateHistograms(record: Uint8Array, where: string): void {
    this.#histograms.clear();
    decodeHistograms(record, this.#histograms, where);
    for (let i = 0; i < this.#histograms.length; i++) {
      const target = this.find(this.#histograms.refs[i] as number);
      if (target === undefined) continue;
      if (this.#histograms.st[i] !== 0) this.startTimestamps++;
      this.#head.late.replayHistogram(target, this.#histograms, i);
    }
  }

  /**
   * compat: as Prometheus, a marker whose chunk was not found is passed over: then what was logged before it is all that
   * there is.
   */
  #takeMarkers(record: Uint8Array, where: string): void {
    const markers = this.#markers;
    markers.clear();
    decodeMmapMarkers(record, markers, where);
    for (let i = 0; i < markers.length; i++) {
      const ref = markers.refs[i] as number;
      // What was in a list can be several chunks, with a marker each: it is there when the last one is.
      if (markers.refs[i + 1] === ref && i + 1 < markers.length) continue;
      const target = this.#refs.find(ref);
      const place = { file: markers.files[i] as number, offset: markers.offsets[i] as number };
      const none = place.file === 0 && place.offset === 0;
      if (target === undefined) continue;
      if (none || this.#chunks.hasLate(ref, place)) this.#head.late.replayMarker(target);
      else this.#head.late.lostChunks = true;
    }
  }
}
