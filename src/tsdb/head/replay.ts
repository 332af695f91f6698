/**
 * Fills a head from the files of its directory: chunks_head/ first, then the WAL, whose samples are taken where
 * they are newer than the series' chunks (docs/format/wal.md, "Replay").
 *
 * Replay only reads. It reports what it found: what must be repaired before the directory is written to, and what
 * this version cannot carry, for which the directory opens read-only.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import { ENCODING_XOR, OUT_OF_ORDER_MASK } from '../chunks/head-chunk-format.ts';
import { scanHeadChunkFile } from '../chunks/head-chunk-reader.ts';
import type { HeadChunkEntry } from '../chunks/head-chunk-reader.ts';
import { headChunkSequences } from '../chunks/head-chunk-writer.ts';
import { newestCheckpoint } from '../wal/checkpoint.ts';
import { RECORD, RECORD_NAMES, decodeSeriesRecord } from '../wal/records.ts';
import { readSegment } from '../wal/wal-reader.ts';
import type { WalDamage } from '../wal/wal-reader.ts';
import { segmentIndexes } from '../wal/wal-writer.ts';
import { APPLY_BYTES_PER_SAMPLE } from './arena-ingest.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, HEADER, META, S } from './arena-layout.ts';
import type { HeadWriter } from './head-writer.ts';

/** limit: refs are u32 in the arenas, and stored plus one. */
const REF_MAX = 0xfffffffe;

/** What replay found besides samples. */
export interface ReplayReport {
  readonly series: number;
  readonly samples: number;
  /** Chunks taken from chunks_head/. */
  readonly chunks: number;
  /** What this version cannot carry, with how often it occurs: any entry makes the directory read-only. */
  readonly unsupported: ReadonlyMap<string, number>;
  /** How often each kind of record and each encoding of head chunks occurs. */
  readonly contents: ReadonlyMap<string, number>;
  /** The newest time in each chunks_head/ file, by sequence number. */
  readonly chunkFiles: ReadonlyMap<number, number>;
  /** The torn end of the newest segment: to be cut off before the next segment is begun. */
  readonly tornEnd: { readonly file: string; readonly soundEnd: number } | undefined;
  /** WAL segments that are damaged before their end: to be rewritten before the next segment is begun. */
  readonly damagedSegments: readonly number[];
  /** Damaged chunk files: entries end at `soundEnd`, and later files were not read. */
  readonly damagedChunkFiles: readonly { readonly sequence: number; readonly soundEnd: number }[];
}

/** Reads the directory of a TSDB into an empty head. @throws CodedError when a file cannot be read at all. */
export function replayHead(head: HeadWriter, directory: string, log: Logger): ReplayReport {
  return new Replay(head, directory, log).run();
}

class Replay {
  readonly #head: HeadWriter;
  readonly #directory: string;
  readonly #log: Logger;
  readonly #unsupported = new Map<string, number>();
  readonly #contents = new Map<string, number>();
  readonly #chunkFiles = new Map<number, number>();
  readonly #damagedSegments = new Set<number>();
  readonly #damagedChunkFiles: { sequence: number; soundEnd: number }[] = [];
  /** Entries of chunks_head/ by ref, with the file they are in. */
  readonly #chunks = new Map<number, (HeadChunkEntry & { readonly file: number })[]>();
  #tornEnd: { file: string; soundEnd: number } | undefined;
  #chunkCount = 0;
  /** Capacity of the arenas' replay tables, all alike. */
  #refCapacity = 1 << 16;
  #refCount = 0;

  constructor(head: HeadWriter, directory: string, log: Logger) {
    this.#head = head;
    this.#directory = directory;
    this.#log = log;
  }

  run(): ReplayReport {
    this.#allocRefTables();
    this.#readChunks();
    this.#readWal();
    const wbl = join(this.#directory, 'wbl');
    if (existsSync(wbl) && segmentIndexes(wbl).length > 0) this.#found('out-of-order log (wbl)');
    // With several arenas each counts the refs of the others as unknown.
    const { arenas } = this.#head;
    const unknown = arenas.length > 1 ? 0 : (arenas[0] as ArenaIngest).arena.header(H.unknownRefs);
    if (unknown > 0)
      this.#log.warn('samples without a series record were left out', { samples: unknown });
    for (const { arena } of this.#head.arenas) {
      arena.freeRegion(arena.header(H.refTable), this.#refCapacity * 8);
    }
    const { series, samples } = this.#head.stats();
    return {
      series,
      samples,
      chunks: this.#chunkCount,
      unsupported: this.#unsupported,
      contents: this.#contents,
      chunkFiles: this.#chunkFiles,
      tornEnd: this.#tornEnd,
      damagedSegments: [...this.#damagedSegments],
      damagedChunkFiles: this.#damagedChunkFiles,
    };
  }

  #found(what: string): void {
    increment(this.#unsupported, what);
  }

  #readChunks(): void {
    const directory = join(this.#directory, 'chunks_head');
    if (!existsSync(directory)) return;
    let damaged = false;
    for (const sequence of headChunkSequences(directory)) {
      if (damaged) {
        // compat: as Prometheus, nothing behind damage is used, or replay would leave a gap in a series.
        this.#damagedChunkFiles.push({ sequence, soundEnd: 0 });
        continue;
      }
      const scan = scanHeadChunkFile(directory, sequence, (entry) => {
        // After a power failure the log may lack the series of a chunk. A new series must not get its ref, or the next
        // replay would give it the chunk. Larger refs are never given out.
        if (entry.ref <= REF_MAX) this.#head.reserveRef(entry.ref);
        increment(this.#contents, `head chunks of encoding ${entry.encoding}`);
        const newest = this.#chunkFiles.get(sequence) ?? -Infinity;
        this.#chunkFiles.set(sequence, Math.max(newest, entry.maxt));
        const list = this.#chunks.get(entry.ref);
        const placed = { ...entry, file: sequence };
        if (list === undefined) this.#chunks.set(entry.ref, [placed]);
        else list.push(placed);
      });
      if (scan.problem === undefined) continue;
      damaged = true;
      this.#damagedChunkFiles.push({ sequence, soundEnd: scan.soundEnd });
      this.#log.warn('head chunks file is damaged, its samples come from the WAL', {
        file: sequence,
        offset: scan.soundEnd,
        reason: scan.problem,
      });
    }
  }

  #readWal(): void {
    const directory = join(this.#directory, 'wal');
    if (!existsSync(directory)) return;
    const checkpoint = newestCheckpoint(directory);
    if (checkpoint !== undefined) {
      const at = join(directory, checkpoint.name);
      for (const index of segmentIndexes(at)) this.#readSegment(at, index, false);
    }
    const segments = segmentIndexes(directory).filter((i) => i > (checkpoint?.index ?? -1));
    for (const index of segments) this.#readSegment(directory, index, index === segments.at(-1));
  }

  #readSegment(directory: string, index: number, newest: boolean): void {
    const onDamage = (damage: WalDamage): void => {
      if (newest && damage.atEnd) {
        this.#tornEnd = { file: damage.file, soundEnd: damage.soundEnd };
        this.#log.info('the WAL ends inside a record, as after a crash', {
          file: damage.file,
          offset: damage.offset,
        });
        return;
      }
      this.#log.error('the WAL is damaged, records were lost', {
        file: damage.file,
        offset: damage.offset,
        reason: damage.reason,
      });
      if (basename(directory) === 'wal') this.#damagedSegments.add(index);
    };
    readSegment(directory, index, (record) => this.#onRecord(record, directory, index), onDamage);
  }

  #onRecord(record: Uint8Array, directory: string, index: number): void {
    const type = record[0] ?? 0;
    increment(this.#contents, RECORD_NAMES[type] ?? `WAL records of type ${type}`);
    if (type === RECORD.series) this.#onSeriesRecord(record, `${directory}, segment ${index}`);
    else if (type === RECORD.samples)
      this.#onSamplesRecord(record, `${directory}, segment ${index}`);
    else if (type === RECORD.metadata || type === RECORD.mmapMarkers) return;
    else this.#found(RECORD_NAMES[type] ?? `WAL records of type ${type}`);
  }

  #onSeriesRecord(record: Uint8Array, where: string): void {
    try {
      decodeSeriesRecord(record, (ref, labels) => this.#onSeries(ref, labels));
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw new CorruptionError('series record ends early', where, 0);
    }
  }

  #onSeries(ref: number, labels: readonly Uint8Array[]): void {
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
    if (++this.#refCount > this.#refCapacity / 2) this.#growRefTables();
    owner.kernel.mapRef(HEADER, ref, series);
    const chunks = this.#chunks.get(ref);
    if (chunks === undefined) return;
    this.#chunks.delete(ref);
    for (const chunk of chunks) this.#addChunk(owner, series, chunk);
  }

  /** Attaches a chunk of chunks_head/ to its series, unless it is one that we cannot carry or have already. */
  #addChunk(owner: ArenaIngest, series: number, chunk: HeadChunkEntry & { file: number }): void {
    if ((chunk.encoding & OUT_OF_ORDER_MASK) !== 0) {
      this.#found('out-of-order chunks');
      return;
    }
    if (chunk.encoding !== ENCODING_XOR) {
      this.#found('chunks other than float (XOR) chunks');
      return;
    }
    const { arena } = owner;
    if (chunk.maxt < arena.getI64(HEADER + H.minValidTime)) return;
    const lastT = arena.getI64(series + S.lastT);
    // A series that the log names by a second ref may have an open chunk already, which must stay the newest: its
    // samples come from the log, which has them all.
    if (chunk.mint <= lastT || arena.get(series + S.chunk) !== 0) return;
    // A kernel answers i32: addresses beyond 2 GiB come out negative.
    const meta = owner.kernel.addMeta(HEADER, series) >>> 0;
    if (meta === 0) throw arena.fullError(META.bytes);
    arena.setI64(meta + META.mint, chunk.mint);
    arena.setI64(meta + META.maxt, chunk.maxt);
    arena.set(meta + META.file, chunk.file);
    arena.set(meta + META.offset, chunk.offset);
    arena.set(meta + META.length, chunk.length);
    arena.view.setUint16(meta + META.count, chunk.count, true);
    arena.u8[meta + META.encoding] = chunk.encoding;
    arena.setI64(series + S.lastT, chunk.maxt);
    for (const [field, time, sign] of [
      [H.mint, chunk.mint, -1],
      [H.maxt, chunk.maxt, 1],
    ] as const) {
      if ((time - arena.getI64(HEADER + field)) * sign > 0) arena.setI64(HEADER + field, time);
    }
    this.#chunkCount++;
  }

  /** Every arena reads the whole record: refs that it does not map belong to another one. */
  #onSamplesRecord(record: Uint8Array, where: string): void {
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

  #allocRefTables(): void {
    for (const { arena } of this.#head.arenas) {
      arena.setHeader(H.refTable, arena.allocRegion(this.#refCapacity * 8));
      arena.setHeader(H.refMask, this.#refCapacity - 1);
    }
  }

  #growRefTables(): void {
    const capacity = this.#refCapacity;
    this.#refCapacity *= 2;
    for (const { arena, kernel } of this.#head.arenas) {
      const old = arena.header(H.refTable);
      arena.setHeader(H.refTable, arena.allocRegion(this.#refCapacity * 8));
      arena.setHeader(H.refMask, this.#refCapacity - 1);
      for (let i = 0; i < capacity; i++) {
        const ref = arena.get(old + i * 8);
        if (ref !== 0) kernel.mapRef(HEADER, ref - 1, arena.get(old + i * 8 + 4));
      }
      arena.freeRegion(old, capacity * 8);
    }
  }
}

function increment(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
