/** The chunks of chunks_head/ in replay: found first, attached to their series when the log names those. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ENCODING_FLOAT_HISTOGRAM_ST, ENCODING_XOR } from '../../chunkenc/encodings.ts';
import type { Logger } from '../../lib/log.ts';
import { OUT_OF_ORDER_MASK } from '../chunks/head-chunk-format.ts';
import { scanHeadChunkFile } from '../chunks/head-chunk-reader.ts';
import type { HeadChunkEntry } from '../chunks/head-chunk-reader.ts';
import { headChunkSequences } from '../chunks/head-chunk-writer.ts';
import { H, HEADER, META, S } from './arena-layout.ts';
import type { HeadWriter } from './head-writer.ts';
import { putMeta } from './meta-list.ts';
import type { OwnedSeries } from './histogram-stager.ts';
import { placeOf } from './series-snapshot.ts';

/** limit: refs are u32 in the arenas, and stored plus one. */
const REF_MAX = 0xfffffffe;

/** A chunk and the file it is in, by its sequence number. */
type PlacedEntry = HeadChunkEntry & { readonly file: number };

/** What the files of chunks_head/ hold besides chunks that go to a series. */
export class ReplayChunks {
  readonly #head: HeadWriter;
  readonly #found: (what: string) => void;
  /** The newest time in each file, by sequence number. */
  readonly files = new Map<number, number>();
  /** Files with chunks of samples that came out of order. */
  readonly lateFiles = new Set<number>();
  /** Damaged files: entries end at `soundEnd`, and later files were not read. */
  readonly damaged: { readonly sequence: number; readonly soundEnd: number }[] = [];
  /** How often each encoding that is not known occurs. */
  readonly unknown = new Map<string, number>();
  /** How many chunks were attached. */
  count = 0;
  /** Entries whose series the log has not named yet. */
  readonly #waiting = new Map<number, PlacedEntry[]>();
  /** Where the entries of late chunks begin (placeOf), by ref. */
  readonly #latePlaces = new Map<number, Set<number>>();

  /** `found` is told the encoding of each chunk. */
  constructor(head: HeadWriter, found: (what: string) => void) {
    this.#head = head;
    this.#found = found;
  }

  /** Reads all files of a TSDB. */
  read(directory: string, log: Logger): void {
    const chunks = join(directory, 'chunks_head');
    if (!existsSync(chunks)) return;
    let expected: number | undefined;
    for (const sequence of headChunkSequences(chunks)) {
      const problem = this.#readFile(chunks, sequence, expected ?? sequence);
      expected = sequence + 1;
      if (problem !== undefined)
        log.warn('head chunks file is damaged, its samples come from the WAL', problem);
    }
  }

  /** Answers what is wrong for the log, once for all files. */
  #readFile(
    chunks: string,
    sequence: number,
    expected: number,
  ): Record<string, string | number> | undefined {
    // compat: as Prometheus, nothing behind damage or a gap is used, or replay would leave a gap in a series.
    const behind = this.damaged.length > 0;
    if (behind || sequence !== expected) {
      this.damaged.push({ sequence, soundEnd: 0 });
      return behind ? undefined : { file: expected, offset: 0, reason: 'it is missing' };
    }
    const scan = scanHeadChunkFile(chunks, sequence, (entry) => this.#take(sequence, entry));
    if (scan.problem === undefined) return undefined;
    this.damaged.push({ sequence, soundEnd: scan.soundEnd });
    return { file: sequence, offset: scan.soundEnd, reason: scan.problem };
  }

  /** Whether chunks wait for their series. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Attaches the chunks of a ref to its series. */
  attach(ref: number, target: OwnedSeries): void {
    const entries = this.#waiting.get(ref);
    if (entries === undefined) return;
    this.#waiting.delete(ref);
    for (const entry of entries) {
      if ((entry.encoding & OUT_OF_ORDER_MASK) === 0) this.#attachInOrder(target, entry);
      else {
        const encoding = entry.encoding & ~OUT_OF_ORDER_MASK;
        this.#head.late.addChunk(target, { ...entry, encoding });
        this.count++;
      }
    }
  }

  /** Whether the chunk of late samples that a marker names was found, and no other in its place: {@link MmapMarkerBatch}. */
  hasLate(ref: number, marker: { readonly file: number; readonly offset: number }): boolean {
    return this.#latePlaces.get(ref)?.has(placeOf(marker.file, marker.offset)) === true;
  }

  #take(file: number, entry: HeadChunkEntry): void {
    // After a power failure the log may lack the series of a chunk. A new series must not get its ref, or the next
    // replay would give it the chunk. Larger refs are never given out.
    if (entry.ref <= REF_MAX) this.#head.reserveRef(entry.ref);
    const late = (entry.encoding & OUT_OF_ORDER_MASK) !== 0;
    const encoding = entry.encoding & ~OUT_OF_ORDER_MASK;
    const what = `${late ? 'out-of-order ' : ''}head chunks of encoding ${encoding}`;
    this.#found(what);
    this.files.set(file, Math.max(this.files.get(file) ?? -Infinity, entry.maxt));
    if (encoding < ENCODING_XOR || encoding > ENCODING_FLOAT_HISTOGRAM_ST) {
      this.unknown.set(what, (this.unknown.get(what) ?? 0) + 1);
      return;
    }
    if (late) {
      this.lateFiles.add(file);
      const places = this.#latePlaces.get(entry.ref) ?? new Set<number>();
      this.#latePlaces.set(entry.ref, places.add(placeOf(file, entry.start)));
    }
    const list = this.#waiting.get(entry.ref);
    const placed = { ...entry, file };
    if (list === undefined) this.#waiting.set(entry.ref, [placed]);
    else list.push(placed);
  }

  #attachInOrder({ owner, series }: OwnedSeries, chunk: PlacedEntry): void {
    const { arena } = owner;
    if (chunk.maxt < arena.getI64(HEADER + H.minValidTime)) return;
    const lastT = arena.getI64(series + S.lastT);
    // A series that the log names by a second ref may have an open chunk already, which must stay the newest: its
    // samples come from the log, which has them all.
    if (chunk.mint <= lastT || arena.get(series + S.chunk) !== 0) return;
    // A kernel answers i32: addresses beyond 2 GiB come out negative.
    const meta = owner.kernel.addMeta(HEADER, series) >>> 0;
    if (meta === 0) throw arena.fullError(META.bytes);
    putMeta(arena, meta, chunk);
    arena.setI64(series + S.lastT, chunk.maxt);
    for (const [field, time, sign] of [
      [H.mint, chunk.mint, -1],
      [H.maxt, chunk.maxt, 1],
    ] as const) {
      if ((time - arena.getI64(HEADER + field)) * sign > 0) arena.setI64(HEADER + field, time);
    }
    this.count++;
  }
}
