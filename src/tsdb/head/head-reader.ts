/**
 * The head, the reading half: a Queryable over its arenas and chunks_head/ files, for any thread.
 *
 * Nothing here takes a lock. A series' chunks are read under its generation: metas and the open chunk are copied out,
 * and when the generation moved meanwhile, copied again (docs/format/head-arena.md, "Reading").
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCE_BYTES_MAX, XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { readFence } from '../../lib/fence.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type {
  FloatColumns,
  Queryable,
  SelectRequest,
  SeriesSet,
  SharedSeries,
  TimeRange,
} from '../../storage/storage.ts';
import { headChunkFileName } from '../chunks/head-chunk-format.ts';
import type { PageCache, PagedFiles } from '../chunks/page-cache.ts';
import { union } from '../index/postings.ts';
import type { Postings } from '../index/postings.ts';
import { selectPostings } from '../index/select-postings.ts';
import { ArenaView } from './arena.ts';
import type { ArenaMemory } from './arena.ts';
import { H, META, META_BLOCK, S } from './arena-layout.ts';
import { LabelOrder } from './label-order.ts';
import { PostingsReader } from './postings-reader.ts';

/** limit: files of one cache number range: a head's chunk files count up from 1. */
const FILES_PER_HEAD = 1 << 20;
/** limit: label sets that a thread keeps for an arena: some 300 bytes each, texts apart, which are shared. */
const LABELS_KEPT = 100_000;
/** Numbers of a chunk in a snapshot: file, offset, length, count. */
const CHUNK_WORDS = 4;

/** What a thread needs to read a head: plain data and shared memories, so it can be posted to workers. */
export interface HeadHandle {
  /** Distinguishes the heads of a process in the page cache: 0, 1, … */
  readonly number: number;
  readonly memories: readonly ArenaMemory[];
  readonly chunksDirectory: string;
}

/** One thread's access to a head. */
export class HeadReader implements Queryable {
  readonly #views: ArenaView[];
  readonly #postings: PostingsReader[];
  readonly #orders: LabelOrder[];
  readonly #labelCaches: Map<number, Labels>[];
  readonly #source: ChunkSource;

  constructor(handle: HeadHandle, cache: PageCache) {
    this.#views = handle.memories.map((memory) => new ArenaView(memory));
    this.#postings = this.#views.map((view) => new PostingsReader(view));
    this.#labelCaches = this.#views.map(() => new Map<number, Labels>());
    this.#orders = this.#views.map((_, arena) => new LabelOrder((i) => this.#labels(arena, i)));
    this.#source = new ChunkSource(handle, cache);
  }

  async select(request: SelectRequest): Promise<SeriesSet> {
    const runs = this.#selectAll([request.matchers]).map(([arena, postings]) =>
      this.#inLabelOrder(arena, this.#holding(arena, postings, request)),
    );
    // Each arena's series are in order; a stable sort of few long runs costs little more than a merge.
    const found = runs.length === 1 ? (runs[0] as FoundSeries[]) : runs.flat().sort(compareFound);
    return new HeadSeriesSet(request, found, this.#views, this.#source);
  }

  openShared(shared: SharedSeries): SeriesSet {
    const { arenas, addresses } = shared.payload as SharedHeadSeries;
    const found = Array.from(addresses, (address, i) => ({ arena: arenas[i] as number, address }));
    return new HeadSeriesSet(shared, found, this.#views, this.#source);
  }

  async labelNames(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<string[]> {
    const names = new Set<string>();
    if (matcherSets.length === 0) {
      // As for values: every name in use, without a look at each series.
      for (const postings of this.#postings) {
        postings.refresh();
        for (const name of postings.names()) names.add(name);
      }
      return [...names].sort(compareUtf8);
    }
    this.#eachPair(matcherSets, range, (arena, pair) =>
      names.add((this.#postings[arena] as PostingsReader).name(pair)),
    );
    return [...names].sort(compareUtf8);
  }

  async labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<string[]> {
    const values = new Set<string>();
    if (matcherSets.length === 0) {
      for (const postings of this.#postings) {
        postings.refresh();
        for (const value of postings.values(name)) values.add(value);
      }
    } else {
      this.#eachPair(matcherSets, range, (arena, pair) => {
        const postings = this.#postings[arena] as PostingsReader;
        if (postings.name(pair) === name) values.add(postings.value(pair));
      });
    }
    return [...values].sort(compareUtf8);
  }

  /** Closes the chunk files. */
  close(): void {
    this.#source.close();
  }

  /** Visits each label pair of the series that match, once an arena. */
  #eachPair(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    visit: (arena: number, pair: number) => void,
  ): void {
    for (const [arena, postings] of this.#selectAll(matcherSets)) {
      const view = this.#views[arena] as ArenaView;
      const seen = new Set<number>();
      for (const index of postings) {
        const address = view.record(view.header(H.seriesSlabs), S.bytes, index);
        if (!mayHold(view, address, range)) continue;
        const pairs = view.get(address + S.pairs) >>> 2;
        for (let i = 0; i < view.get(address + S.pairCount); i++)
          seen.add(view.u32[pairs + i] as number);
      }
      for (const pair of seen) visit(arena, pair);
    }
  }

  /** The series of each arena that satisfy any of the matcher sets. */
  #selectAll(matcherSets: readonly (readonly Matcher[])[]): [number, Postings][] {
    return this.#postings.map((postings, arena) => {
      postings.refresh();
      return [arena, union(matcherSets.map((matchers) => selectPostings(postings, matchers)))];
    });
  }

  /** Those of an arena's series that can have samples in a range. */
  #holding(arena: number, postings: Postings, range: TimeRange): Uint32Array {
    const view = this.#views[arena] as ArenaView;
    const slabs = view.header(H.seriesSlabs);
    const out = new Uint32Array(postings.length);
    let n = 0;
    for (let i = 0; i < postings.length; i++) {
      const index = postings[i] as number;
      if (mayHold(view, view.record(slabs, S.bytes, index), range)) out[n++] = index;
    }
    return out.subarray(0, n);
  }

  #inLabelOrder(arena: number, series: Uint32Array): FoundSeries[] {
    const view = this.#views[arena] as ArenaView;
    const slabs = view.header(H.seriesSlabs);
    const total = (this.#postings[arena] as PostingsReader).seriesCount;
    const sorted = (this.#orders[arena] as LabelOrder).sort(series, total);
    return Array.from(sorted, (index) => {
      const address = view.record(slabs, S.bytes, index);
      return { arena, address, labels: this.#labels(arena, index) };
    });
  }

  /** The labels of a series, made once for as many series as are worth keeping. */
  #labels(arena: number, index: number): Labels {
    const cache = this.#labelCaches[arena] as Map<number, Labels>;
    const known = cache.get(index);
    if (known !== undefined) return known;
    const view = this.#views[arena] as ArenaView;
    const labels = this.#readLabels(arena, view.record(view.header(H.seriesSlabs), S.bytes, index));
    if (cache.size < LABELS_KEPT) cache.set(index, labels);
    return labels;
  }

  #readLabels(arena: number, address: number): Labels {
    const view = this.#views[arena] as ArenaView;
    const postings = this.#postings[arena] as PostingsReader;
    const count = view.get(address + S.pairCount);
    const pairs = view.get(address + S.pairs) >>> 2;
    const out: string[] = [];
    for (let i = 0; i < count; i++) {
      const pair = view.u32[pairs + i] as number;
      out.push(postings.name(pair), postings.value(pair));
    }
    return new Labels(out);
  }
}

/** A series of a select: where it is, and its labels unless it came from another thread. */
interface FoundSeries {
  readonly arena: number;
  readonly address: number;
  readonly labels?: Labels;
}

/** The payload of shared series. */
interface SharedHeadSeries {
  readonly arenas: Uint8Array;
  readonly addresses: Float64Array;
}

function compareFound(a: FoundSeries, b: FoundSeries): number {
  const x = a.labels?.pairs ?? [];
  const y = b.labels?.pairs ?? [];
  const n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) {
    // Texts come from one table per arena, so equal ones are mostly the same string, and cheap to compare.
    if (x[i] !== y[i]) return compareUtf8(x[i] as string, y[i] as string);
  }
  return x.length - y.length;
}

/** Whether a series can have samples in a range, by its newest and oldest chunk, looked at under its generation. */
function mayHold(view: ArenaView, address: number, range: TimeRange): boolean {
  const generation = (address + S.generation) >>> 2;
  for (;;) {
    const before = Atomics.load(view.i32, generation);
    if ((before & 1) === 1) continue;
    const answer = reaches(view, address, range);
    readFence();
    if (Atomics.load(view.i32, generation) === before) return answer;
  }
}

function reaches(view: ArenaView, address: number, range: TimeRange): boolean {
  if (view.getI64(address + S.lastT) < range.mint) return false;
  for (let block = view.get(address + S.metas); block !== 0;) {
    const previous = view.get(block + META_BLOCK.previous);
    if (previous === 0) return view.getI64(block + META_BLOCK.header + META.mint) <= range.maxt;
    block = previous;
  }
  const open = view.get(address + S.chunk);
  return open !== 0 && view.getI64(address + S.chunkMint) <= range.maxt;
}

/** Reads chunk bytes from files through the page cache. */
class ChunkSource implements PagedFiles {
  readonly #handle: HeadHandle;
  readonly #cache: PageCache;
  readonly #descriptors = new Map<number, number>();
  #scratch: XorScratch | undefined;

  constructor(handle: HeadHandle, cache: PageCache) {
    this.#handle = handle;
    this.#cache = cache;
  }

  /** The thread's decoder for this head. */
  get scratch(): XorScratch {
    this.#scratch ??= new XorScratch();
    return this.#scratch;
  }

  descriptor(file: number): number {
    let fd = this.#descriptors.get(file);
    if (fd === undefined) {
      fd = openSync(this.path(file % FILES_PER_HEAD), 'r');
      this.#descriptors.set(file, fd);
    }
    return fd;
  }

  path(sequence: number): string {
    return join(this.#handle.chunksDirectory, headChunkFileName(sequence));
  }

  /**
   * Decodes a chunk of a file behind what the scratch holds; false when it is not a float chunk of that count.
   * @throws CorruptionError when the file ends early.
   */
  append(
    sequence: number,
    offset: number,
    length: number,
    count: number,
    dropStale: boolean,
  ): boolean {
    const { scratch } = this;
    const file = this.#handle.number * FILES_PER_HEAD + sequence;
    if (length > SOURCE_BYTES_MAX) return false;
    if (!this.#cache.read(this, file, offset, length, scratch.sourceWords)) {
      throw new CorruptionError('head chunk lies outside its file', this.path(sequence), offset);
    }
    return scratch.appendSource(offset & 3, length, count, dropStale);
  }

  close(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#descriptors.clear();
  }
}

/** Series of one head in label order. */
class HeadSeriesSet implements SeriesSet {
  readonly #range: TimeRange;
  readonly #found: readonly FoundSeries[];
  readonly #views: readonly ArenaView[];
  readonly #source: ChunkSource;
  readonly #snapshot = new SeriesSnapshot();

  constructor(
    range: TimeRange,
    found: readonly FoundSeries[],
    views: readonly ArenaView[],
    source: ChunkSource,
  ) {
    this.#range = range;
    this.#found = found;
    this.#views = views;
    this.#source = source;
  }

  get count(): number {
    return this.#found.length;
  }

  labels(i: number): Labels {
    const labels = this.#series(i).labels;
    if (labels === undefined) throw new Error('BUG: labels of series that another thread selected');
    return labels;
  }

  sampleCountMax(i: number): number {
    const { arena, address } = this.#series(i);
    this.#snapshot.take(this.#views[arena] as ArenaView, address, this.#range, false);
    return this.#snapshot.sampleCount;
  }

  load(): undefined {
    return undefined;
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const { arena, address } = this.#series(i);
    const { scratch } = this.#source;
    const snapshot = this.#snapshot;
    snapshot.take(this.#views[arena] as ArenaView, address, this.#range, true);
    scratch.clear();
    for (let k = 0; k < snapshot.chunkCount; k++) {
      const at = k * CHUNK_WORDS;
      const file = snapshot.chunks[at] as number;
      const offset = snapshot.chunks[at + 1] as number;
      const length = snapshot.chunks[at + 2] as number;
      const count = snapshot.chunks[at + 3] as number;
      const sound =
        file === 0
          ? scratch.append(snapshot.bytes, offset, length, count, dropStale)
          : this.#source.append(file, offset, length, count, dropStale);
      if (!sound) {
        const where = file === 0 ? 'head memory' : this.#source.path(file);
        throw new CorruptionError('chunk is not a float (XOR) chunk of its count', where, offset);
      }
    }
    scratch.clip(this.#range.mint, this.#range.maxt);
    into.t = scratch.t;
    into.v = scratch.v;
    into.length = scratch.length;
  }

  share(from: number, to: number): SharedSeries {
    return this.#share(this.#found.slice(from, to));
  }

  sharePicked(indexes: readonly number[]): SharedSeries {
    return this.#share(indexes.map((i) => this.#series(i)));
  }

  #share(part: readonly FoundSeries[]): SharedSeries {
    const payload: SharedHeadSeries = {
      arenas: Uint8Array.from(part, (series) => series.arena),
      addresses: Float64Array.from(part, (series) => series.address),
    };
    return { count: part.length, mint: this.#range.mint, maxt: this.#range.maxt, payload };
  }

  close(): void {
    // Everything was copied out of the arena when it was read: nothing is held.
  }

  #series(i: number): FoundSeries {
    const series = this.#found[i];
    if (series === undefined) throw new RangeError(`BUG: series ${i} of ${this.#found.length}`);
    return series;
  }
}

/** The chunks of one series in a range, copied out of the arena under the series' generation. Reused. */
class SeriesSnapshot {
  /** file (0: in `bytes`), offset, length, count; oldest first. */
  chunks = new Float64Array(64 * CHUNK_WORDS);
  chunkCount = 0;
  sampleCount = 0;
  /** Chunk bytes that lay in the arena. */
  bytes = new Uint8Array(4096);
  #used = 0;
  #withBytes = true;

  /**
   * Copies what a series holds in a range, the bytes of chunks in the arena only `withBytes`; begins again when the
   * writer moved something meanwhile.
   */
  take(view: ArenaView, address: number, range: TimeRange, withBytes: boolean): void {
    this.#withBytes = withBytes;
    const generation = (address + S.generation) >>> 2;
    for (;;) {
      const before = Atomics.load(view.i32, generation);
      if ((before & 1) === 0) {
        this.#copy(view, address, range);
        readFence();
        if (Atomics.load(view.i32, generation) === before) return;
      }
    }
  }

  #copy(view: ArenaView, address: number, range: TimeRange): void {
    this.chunkCount = 0;
    this.sampleCount = 0;
    this.#used = 0;
    const published = Atomics.load(view.i32, (address + S.published) >>> 2) >>> 0;
    const open = view.get(address + S.chunk);
    if (open !== 0 && view.getI64(address + S.chunkMint) <= range.maxt) {
      const length = Math.ceil((published & 0xffff) / 8);
      this.#push(0, this.#keep(view, open, length), length, published >>> 16);
    }
    // Metas run from the newest to the oldest, and so do the chunks until they are turned round.
    for (let block = view.get(address + S.metas); block !== 0;) {
      const count = view.get(block + META_BLOCK.count);
      for (let i = count - 1; i >= 0; i--) {
        const meta = block + META_BLOCK.header + i * META.bytes;
        if (view.getI64(meta + META.maxt) < range.mint) return this.#reverse();
        if (view.getI64(meta + META.mint) > range.maxt) continue;
        this.#pushMeta(view, meta);
      }
      block = view.get(block + META_BLOCK.previous);
    }
    this.#reverse();
  }

  #pushMeta(view: ArenaView, meta: number): void {
    const file = view.get(meta + META.file);
    const length = view.get(meta + META.length);
    const count = view.view.getUint16(meta + META.count, true);
    let offset = view.get(meta + META.offset);
    if (file === 0) offset = this.#keep(view, offset, length);
    this.#push(file, offset, length, count);
  }

  #push(file: number, offset: number, length: number, count: number): void {
    const at = this.chunkCount * CHUNK_WORDS;
    if (at === this.chunks.length) {
      const more = new Float64Array(at * 2);
      more.set(this.chunks);
      this.chunks = more;
    }
    this.chunks[at] = file;
    this.chunks[at + 1] = offset;
    this.chunks[at + 2] = length;
    this.chunks[at + 3] = count;
    this.chunkCount++;
    this.sampleCount += count;
  }

  /** Copies bytes out of the arena; answers where they are. */
  #keep(view: ArenaView, from: number, length: number): number {
    const at = this.#used;
    if (!this.#withBytes) return at;
    // While the writer moves things, a length read here can be nonsense: it is bounded before it is believed.
    const size = Math.min(length, 2048);
    if (at + size > this.bytes.length) {
      const more = new Uint8Array(this.bytes.length * 2);
      more.set(this.bytes);
      this.bytes = more;
    }
    this.bytes.set(view.u8.subarray(from, from + size), at);
    this.#used = at + size;
    return at;
  }

  #reverse(): void {
    const { chunks } = this;
    for (let i = 0, j = this.chunkCount - 1; i < j; i++, j--) {
      for (let w = 0; w < CHUNK_WORDS; w++) {
        const x = chunks[i * CHUNK_WORDS + w] as number;
        chunks[i * CHUNK_WORDS + w] = chunks[j * CHUNK_WORDS + w] as number;
        chunks[j * CHUNK_WORDS + w] = x;
      }
    }
  }
}
