/**
 * The way of samples that came out of order into the head: logged to the WBL, put into short sorted lists, and moved to
 * chunks of their own when a list is full (prometheus tsdb/head_append.go, ooo_head.go; docs/format/wal.md, "The WBL").
 *
 * What is in a list is also in the log behind the series' last marker: a marker says that everything of the series
 * before it is in a chunk. So a full list is written to a file before the log is, and the marker goes first.
 */
import { HistogramAppender } from '../../chunkenc/histogram-appender.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import { OUT_OF_ORDER_MASK, ENTRY_HEADER_BYTES } from '../chunks/head-chunk-format.ts';
import type { ChunkPlace, HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { HistogramBatch, encodeHistograms } from '../wal/histogram-records.ts';
import { MmapMarkerBatch, encodeMmapMarkers } from '../wal/mmap-marker-records.ts';
import { SampleBatch, encodeSamples } from '../wal/sample-records.ts';
import type { ArenaIngest, StageCounts } from './arena-ingest.ts';
import { H, META, META_BLOCK, OOO, S, STAGED_BYTES, X } from './arena-layout.ts';
import type { ArenaWriter } from './arena.ts';
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import type { HistogramStager, OwnedSeries } from './histogram-stager.ts';
import {
  addLateMeta,
  clearLate,
  holdBytes,
  holdHistogram,
  insertLate,
  lateChunks,
  lateCount,
  regionBytes,
  underGeneration,
} from './late-samples.ts';
import type { LateChunk } from './late-samples.ts';
import { eachMeta, freeMetaBlock, metaAt } from './meta-list.ts';
import { placeOf } from './series-snapshot.ts';

/** The late samples of one series in a request: numbers in the batches. */
interface LateGroup extends OwnedSeries {
  readonly floats: number[];
  readonly histograms: number[];
}

/** Late samples of all arenas. */
export class LateWriter {
  #chunks: HeadChunkWriter | undefined;
  readonly #floats = new SampleBatch();
  readonly #floatSeries: OwnedSeries[] = [];
  #histograms = new HistogramBatch();
  readonly #markers = new MmapMarkerBatch();
  #groups: LateGroup[] = [];
  /** Series that have late samples, in lists or chunks. */
  readonly #series = new Map<ArenaIngest, Set<number>>();
  /** Lists whose chunks have places in a file that is not written yet. */
  #flushed: (OwnedSeries & { readonly chunks: readonly LateChunk[] })[] = [];
  /** Whether the log names chunks that replay did not find. */
  lostChunks = false;
  /** The times of all late samples there are. */
  mint = Infinity;
  maxt = -Infinity;

  /** Opens for writes. */
  attach(chunks: HeadChunkWriter): void {
    this.#chunks = chunks;
  }

  /** Forgets a request that was prepared and is not to be. */
  abandon(): void {
    this.#groups = [];
    this.#flushed = [];
  }

  /** Whether there are late samples. */
  get isEmpty(): boolean {
    return this.#series.size === 0;
  }

  /**
   * Takes what was staged as out of order, makes room for it, and answers the records that the WBL must hold before it
   * is inserted; none when there is nothing. Full lists are in files then, and marked so.
   * @throws CodedError; then nothing of the request is in the head.
   */
  prepare(arenas: readonly ArenaIngest[], histograms: HistogramStager): Uint8Array[] {
    this.#groups = [];
    this.#floats.clear();
    this.#floatSeries.length = 0;
    this.#histograms = histograms.late;
    this.#markers.clear();
    for (const ingest of arenas) this.#takeFloats(ingest);
    if (this.#floatSeries.length === 0 && histograms.lateSeries.length === 0) return [];
    this.#groups = this.#group(histograms.lateSeries);
    for (const group of this.#groups) {
      const more = group.floats.length + group.histograms.length;
      if (lateCount(group.owner.arena, group.series) + more > OOO.capacity) this.#flush(group);
    }
    this.#finishFlush();
    const records = this.#markers.length > 0 ? [encodeMmapMarkers(this.#markers)] : [];
    if (this.#floats.length > 0) records.push(encodeSamples(this.#floats));
    if (this.#histograms.length > 0) records.push(...encodeHistograms(this.#histograms));
    return records;
  }

  /** Bytes that inserting what was prepared can take of the arenas. */
  get roomNeeded(): number {
    let bytes = 0;
    for (const { histograms, floats } of this.#groups) {
      bytes += X.bytes + OOO.bytes + (floats.length / OOO.capacity) * 2048;
      bytes += histograms.length * 4096;
    }
    return bytes;
  }

  /** Inserts what was prepared. Samples of a time that a list holds already are dropped and counted. */
  insert(counts: StageCounts): void {
    for (const group of this.#groups) this.#insertGroup(group, counts);
    this.#groups = [];
  }

  /** Inserts a float that the log holds: replay. */
  replayFloat(target: OwnedSeries, t: number, low: number, high: number): void {
    this.#makeRoom(target);
    if (insertLate(target.owner.arena, target.series, t, { kind: 0, low, high }))
      this.#note(target, t);
  }

  /** The same for the i-th histogram of a batch. */
  replayHistogram(target: OwnedSeries, batch: HistogramBatch, i: number): void {
    this.#makeRoom(target);
    this.#insertHistogram(target, batch, i);
  }

  /** A marker in the log: what was replayed of the series is in a chunk that was found. */
  replayMarker({ owner, series }: OwnedSeries): void {
    if (lateCount(owner.arena, series) > 0) clearLate(owner.arena, series, []);
  }

  /** Adds a chunk that was found in a file: replay. */
  addChunk(target: OwnedSeries, chunk: LateChunk): void {
    addLateMeta(target.owner.arena, target.series, chunk);
    this.#note(target, chunk.mint);
    this.#note(target, chunk.maxt);
  }

  /**
   * Moves every list to files, so that blocks can be made of all there is. Answers the place behind the last chunk, and
   * the markers that are to be logged.
   * @throws CodedError unavailable; what was not moved stays where it is.
   */
  flushAll(): { readonly place: number; readonly markers: Uint8Array | undefined } {
    this.#markers.clear();
    // A request that was refused may have left some.
    this.#flushed = [];
    this.#moveToFiles();
    for (const [owner, all] of this.#series) {
      for (const series of all) {
        if (lateCount(owner.arena, series) > 0) this.#flush({ owner, series });
      }
    }
    this.#finishFlush();
    let place = 0;
    for (const [{ arena }, all] of this.#series) {
      for (const series of all) {
        eachLateMeta(arena, series, (meta) => {
          place = Math.max(place, metaPlace(arena, meta) + 1);
        });
      }
    }
    const markers = this.#markers.length > 0 ? encodeMmapMarkers(this.#markers) : undefined;
    return { place, markers };
  }

  /** Takes chunks before a place out of the head: blocks hold them, and nobody reads them any more. */
  truncate(place: number): void {
    this.mint = Infinity;
    this.maxt = -Infinity;
    for (const [owner, all] of this.#series) {
      const { arena } = owner;
      for (const series of all) {
        dropLateMetas(owner, series, place);
        const list = arena.get(arena.get(series + S.extra) + X.ooo);
        let left = list === 0 ? 0 : arena.get(list + OOO.count);
        for (let i = 0; i < left; i++)
          this.#noteTime(arena.getI64(list + OOO.entries + i * OOO.entryBytes));
        eachLateMeta(arena, series, (meta) => {
          if (arena.get(meta + META.file) !== 0 && metaPlace(arena, meta) < place) return;
          left++;
          this.#noteTime(arena.getI64(meta + META.mint));
          this.#noteTime(arena.getI64(meta + META.maxt));
        });
        if (left > 0) continue;
        all.delete(series);
        if (list !== 0) {
          underGeneration(arena, series, () => arena.set(arena.get(series + S.extra) + X.ooo, 0));
          arena.freeRegion(list, OOO.bytes);
        }
      }
      if (all.size === 0) this.#series.delete(owner);
    }
  }

  #takeFloats(ingest: ArenaIngest): void {
    const { arena } = ingest;
    const count = arena.header(H.oooCount);
    const list = arena.header(H.ooo);
    for (let i = 0; i < count; i++) {
      const entry = list + i * STAGED_BYTES;
      const series = arena.get(entry);
      const n = this.#floats.add(arena.getI64(series + S.ref), arena.getI64(entry + 8));
      this.#floats.halves[2 * n] = arena.get(entry + 16);
      this.#floats.halves[2 * n + 1] = arena.get(entry + 20);
      this.#floatSeries.push({ owner: ingest, series });
    }
    arena.setHeader(H.oooCount, 0);
  }

  #group(lateHistograms: readonly OwnedSeries[]): LateGroup[] {
    const byArena = new Map<ArenaIngest, Map<number, LateGroup>>();
    const find = ({ owner, series }: OwnedSeries): LateGroup => {
      let groups = byArena.get(owner);
      if (groups === undefined) byArena.set(owner, (groups = new Map<number, LateGroup>()));
      let group = groups.get(series);
      if (group === undefined)
        groups.set(series, (group = { owner, series, floats: [], histograms: [] }));
      return group;
    };
    for (const [i, target] of this.#floatSeries.entries()) find(target).floats.push(i);
    for (const [i, target] of lateHistograms.entries()) find(target).histograms.push(i);
    return [...byArena.values()].flatMap((groups) => [...groups.values()]);
  }

  #insertGroup(group: LateGroup, counts: StageCounts): void {
    const { t, halves } = this.#floats;
    for (const i of group.floats) {
      this.#makeRoom(group);
      const value = { kind: 0, low: halves[2 * i] as number, high: halves[2 * i + 1] as number };
      if (insertLate(group.owner.arena, group.series, t[i] as number, value)) {
        counts.accepted++;
        counts.late++;
        this.#note(group, t[i] as number);
      } else counts.identical++;
    }
    for (const i of group.histograms) {
      this.#makeRoom(group);
      if (this.#insertHistogram(group, this.#histograms, i)) {
        counts.histograms++;
        counts.late++;
      } else counts.identicalHistograms++;
    }
  }

  #insertHistogram(target: OwnedSeries, batch: HistogramBatch, i: number): boolean {
    const { arena } = target.owner;
    const { columns } = batch;
    const t = columns.t[i] as number;
    const isFloat = columns.isFloat[i] === 1;
    const appender = new HistogramAppender(isFloat ? 3 : 2);
    appender.append(columns, i);
    const value = holdHistogram(arena, isFloat, appender.bytes());
    if (!insertLate(arena, target.series, t, value)) {
      arena.freeRegion(value.low, regionBytes(value.high));
      return false;
    }
    this.#note(target, t);
    return true;
  }

  /**
   * A list that is full where no file can be written to (in the middle of a request of very many samples, and in
   * replay) becomes chunks in the arena, which get their places in files later.
   */
  #makeRoom({ owner, series }: OwnedSeries): void {
    const { arena } = owner;
    if (lateCount(arena, series) < OOO.capacity) return;
    const chunks = lateChunks(arena, series).map((chunk) =>
      describe(chunk, { file: 0, offset: holdBytes(arena, chunk.data) }),
    );
    clearLate(arena, series, chunks);
  }

  /** Adds a series' list to the file that is being written, and marks that; {@link #finishFlush} points to it. */
  #flush({ owner, series }: OwnedSeries): void {
    const { arena } = owner;
    const writer = this.#chunks;
    if (writer === undefined) return this.#makeRoom({ owner, series });
    const ref = arena.getI64(series + S.ref);
    const chunks = lateChunks(arena, series).map((chunk) => {
      const place = writer.add({ ...chunk, ref, encoding: chunk.encoding | OUT_OF_ORDER_MASK });
      const entry = place.offset - ENTRY_HEADER_BYTES - sizeUvarint(chunk.data.length);
      this.#markers.add(ref, { file: place.file, offset: entry });
      return describe(chunk, place);
    });
    this.#flushed.push({ owner, series, chunks });
  }

  /** The bytes must be in the file before anybody is sent to them. @throws CodedError unavailable; lists stay. */
  #finishFlush(): void {
    const flushed = this.#flushed;
    this.#flushed = [];
    this.#chunks?.flush();
    for (const { owner, series, chunks } of flushed) clearLate(owner.arena, series, chunks);
  }

  /** Gives chunks that lie in the arena places in files. */
  #moveToFiles(): void {
    const writer = this.#chunks;
    if (writer === undefined) return;
    const moved: { owner: ArenaIngest; series: number; meta: number; place: ChunkPlace }[] = [];
    for (const [owner, all] of this.#series) {
      const { arena } = owner;
      for (const series of all) {
        eachLateMeta(arena, series, (meta) => {
          if (arena.get(meta + META.file) !== 0) return;
          const at = arena.get(meta + META.offset);
          const place = writer.add({
            ref: arena.getI64(series + S.ref),
            mint: arena.getI64(meta + META.mint),
            maxt: arena.getI64(meta + META.maxt),
            encoding: (arena.u8[meta + META.encoding] as number) | OUT_OF_ORDER_MASK,
            data: arena.u8.subarray(at, at + arena.get(meta + META.length)),
          });
          moved.push({ owner, series, meta, place });
        });
      }
    }
    writer.flush();
    for (const { owner, series, meta, place } of moved) {
      const { arena } = owner;
      const buffer = { at: arena.get(meta + META.offset), length: arena.get(meta + META.length) };
      underGeneration(arena, series, () => {
        arena.set(meta + META.file, place.file);
        arena.set(meta + META.offset, place.offset);
      });
      arena.freeRegion(buffer.at, regionBytes(buffer.length));
    }
  }

  #note({ owner, series }: OwnedSeries, t: number): void {
    let all = this.#series.get(owner);
    if (all === undefined) this.#series.set(owner, (all = new Set()));
    all.add(series);
    this.#noteTime(t);
  }

  #noteTime(t: number): void {
    this.mint = Math.min(this.mint, t);
    this.maxt = Math.max(this.maxt, t);
  }
}

/** Where a chunk was put, with what its meta says. */
function describe(chunk: EncodedChunk, { file, offset }: ChunkPlace): LateChunk {
  const { mint, maxt, count, encoding, data } = chunk;
  return { mint, maxt, count, encoding, length: data.length, file, offset };
}

function metaPlace(arena: ArenaWriter, meta: number): number {
  return placeOf(arena.get(meta + META.file), arena.get(meta + META.offset));
}

/** Visits the metas of a series' late chunks, newest first. */
function eachLateMeta(arena: ArenaWriter, series: number, visit: (meta: number) => void): void {
  const extra = arena.get(series + S.extra);
  if (extra !== 0) eachMeta(arena, arena.get(extra + X.oooMetas), visit);
}

/**
 * Takes the metas of chunks in files before a place out of a series' list: blocks of metas that hold no others. A block
 * that holds younger ones, too, stays, and readers pass over what is below the place.
 */
function dropLateMetas({ arena }: ArenaIngest, series: number, place: number): void {
  const extra = arena.get(series + S.extra);
  let link = extra + X.oooMetas;
  for (let block = arena.get(link); block !== 0;) {
    const previous = arena.get(block + META_BLOCK.previous);
    const count = arena.get(block + META_BLOCK.count);
    let dead = true;
    for (let i = 0; i < count; i++) {
      const meta = metaAt(block, i);
      if (arena.get(meta + META.file) === 0 || metaPlace(arena, meta) >= place) dead = false;
    }
    if (dead) {
      const gone = block;
      const at = link;
      underGeneration(arena, series, () => {
        arena.set(at, previous);
        arena.set(extra + X.oooMetaCount, arena.get(extra + X.oooMetaCount) - count);
      });
      freeMetaBlock(arena, gone);
    } else link = block + META_BLOCK.previous;
    block = previous;
  }
}
