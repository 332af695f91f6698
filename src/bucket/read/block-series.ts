/**
 * The series of one block that a call asks for, run by run: entries are read in batches, labels composed, series put into order, and
 * chunks read for as many series at a time as a part of the budget has room for. Behaviour: thanos pkg/store/bucket.go
 * (blockSeriesClient).
 */
import { throwIfAborted } from '../../lib/abort.ts';
import type { BufferPool } from './buffer-pool.ts';
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { IndexHeader } from '../index-header/index-header.ts';
import { LabelComposer, keepsOrder } from './compose-labels.ts';
import type { LabelRules } from './compose-labels.ts';
import type { ExpandedPostings } from './expand-postings.ts';
import type { ChunkFramer } from './frame-chunks.ts';
import { labelValue } from './label-bytes.ts';
import type { LabelBytes } from './label-bytes.ts';
import { loadChunks } from './load-chunks.ts';
import { GAP_BYTES_MAX } from './ranges.ts';
import { loadEntries, seriesOffsets } from './load-entries.ts';
import type { SeriesEntries } from './load-entries.ts';
import type { ByteBudget } from './limits.ts';
import { OrderKeeper, comparePlaces } from './series-order.ts';
import type { LabeledBatch, SeriesPlace } from './series-order.ts';
import { parseEntries } from './series-batch.ts';
import { chunkCount, holdBytes, planRun, plannedBytes } from './series-run.ts';
import type { FramedChunks, PlannedRun, SeriesRun } from './series-run.ts';
import type { ReadCall, StoredBlock } from './stored-block.ts';

/** What a call asks of a block. */
export interface BlockSeriesRequest {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly skipChunks: boolean;
  /** Bits of AGGREGATE_BITS. */
  readonly aggregates: number;
  readonly rules: LabelRules;
  /** Which series belong to the shard; undefined for all. */
  readonly isWanted: ((labels: LabelBytes) => boolean) | undefined;
  /** At most so many series; 0 for any number. */
  readonly limit: number;
  /** How many entries are read at a time. */
  readonly batchSize: number;
  /** Bytes of chunks of a run, about. */
  readonly runBytes: number;
}

/** What reading shares with the rest of the process. */
export interface BlockReadShared {
  readonly framer: ChunkFramer;
  readonly pool: BufferPool;
  /** What is held of a call between reading and sending. */
  readonly budget: ByteBudget;
  readonly onSeriesRefetch: () => void;
  readonly onChunkRefetch: () => void;
  /** Bytes of an entry that was read for nothing, because lazy matchers refused its series. */
  readonly onOverfetch: (bytes: number) => void;
  /** ms that reading entries, and chunks, of a batch took. */
  readonly onSeriesRead: (ms: number) => void;
  readonly onChunksRead: (ms: number) => void;
  readonly now: () => number;
}

/** limit: series of a run without chunks. */
const RUN_SERIES_MAX = 1000;
/** perf: entries that are parsed in one go: a millisecond or two of the main thread. */
const PARSED_AT_ONCE = 1000;

/** Reads the series of expanded postings in the order of their labels. Every run is to be released. */
export async function* blockSeries(
  block: StoredBlock,
  header: IndexHeader,
  expanded: ExpandedPostings,
  request: BlockSeriesRequest,
  call: ReadCall,
  shared: BlockReadShared,
): AsyncGenerator<SeriesRun> {
  const reader = new BlockSeriesReader(block, header, expanded, request, call, shared);
  yield* reader.runs();
}

class BlockSeriesReader {
  readonly #block: StoredBlock;
  readonly #header: IndexHeader;
  readonly #postings: Uint32Array;
  readonly #lazy: readonly Matcher[];
  readonly #matchers: readonly Matcher[];
  readonly #request: BlockSeriesRequest;
  readonly #call: ReadCall;
  readonly #shared: BlockReadShared;
  readonly #composer: LabelComposer;
  /** Refs of series that lazy matchers let pass: what the cache is told in the end. */
  readonly #matchedRefs: number[] = [];
  #matched = 0;
  #full = false;
  /** Whether no batch comes behind the one at hand. */
  #isLast = false;

  constructor(
    block: StoredBlock,
    header: IndexHeader,
    expanded: ExpandedPostings,
    request: BlockSeriesRequest,
    call: ReadCall,
    shared: BlockReadShared,
  ) {
    this.#block = block;
    this.#header = header;
    this.#lazy = expanded.lazyMatchers;
    this.#matchers = expanded.matchers;
    // Without lazy matchers the first series are known; those without chunks in the range count, as in Go.
    const cut = request.limit > 0 && this.#lazy.length === 0;
    this.#postings = cut ? expanded.postings.subarray(0, request.limit) : expanded.postings;
    this.#request = request;
    this.#call = call;
    this.#shared = shared;
    this.#composer = new LabelComposer(header.symbols, request.rules);
  }

  async *runs(): AsyncGenerator<SeriesRun> {
    const names = this.#header.postings.names;
    const batches = keepsOrder(names, this.#request.rules) ? this.#inOrder() : this.#sorted();
    for await (const places of batches) yield* this.#load(places);
  }

  /** Series batch by batch, in order; those that have to wait are a handful. */
  async *#inOrder(): AsyncGenerator<SeriesPlace[]> {
    const keeper = new OrderKeeper(`${this.#block.ulid}/index`);
    for await (const batch of this.#batches()) {
      const out: SeriesPlace[] = [];
      for (let at = 0; at < batch.series.count; at++) keeper.push({ batch, at }, out);
      // perf: what waits goes with the last batch, and not by a request of its own.
      if (this.#isLast) keeper.finish(out);
      if (out.length > 0) yield out;
    }
    const rest: SeriesPlace[] = [];
    keeper.finish(rest);
    if (rest.length > 0) yield rest;
  }

  /** All series, sorted; what they take until they are sent is the budget's to allow. */
  async *#sorted(): AsyncGenerator<SeriesPlace[]> {
    const held: (() => void)[] = [];
    try {
      const all: SeriesPlace[] = [];
      for await (const batch of this.#batches()) {
        held.push(holdBytes(this.#shared.budget, batchBytes(batch)));
        for (let at = 0; at < batch.series.count; at++) all.push({ batch, at });
      }
      all.sort(comparePlaces);
      for (let from = 0; from < all.length; from += this.#request.batchSize) {
        yield all.slice(from, from + this.#request.batchSize);
      }
    } finally {
      for (const release of held) release();
    }
  }

  async *#batches(): AsyncGenerator<LabeledBatch> {
    const offsets = seriesOffsets(this.#postings, this.#header.ends.indexVersion);
    const { batchSize } = this.#request;
    for (let from = 0; from < offsets.length && !this.#full; from += batchSize) {
      const part = offsets.subarray(from, from + batchSize);
      const { onSeriesRefetch, onSeriesRead, now } = this.#shared;
      const begin = now();
      const entries = await loadEntries(
        this.#block,
        this.#header,
        part,
        this.#call,
        onSeriesRefetch,
      );
      onSeriesRead(now() - begin);
      const before = this.#matched;
      for (let at = 0; at < part.length && !this.#full; at += PARSED_AT_ONCE) {
        throwIfAborted(this.#call.signal);
        const to = Math.min(part.length, at + PARSED_AT_ONCE);
        const batch = await this.#parse(entries, { from: at, to }, from);
        this.#isLast = this.#full || from + to >= offsets.length;
        if (batch.series.count > 0) yield batch;
        await yieldToEventLoop();
      }
      if (this.#lazy.length > 0) {
        this.#call.seriesLimit.reserve(this.#matched - before, 'exceeded series limit');
      }
    }
    if (this.#lazy.length > 0 && !this.#full) this.#cacheExpanded();
  }

  async #parse(
    entries: SeriesEntries,
    range: { readonly from: number; readonly to: number },
    base: number,
  ): Promise<LabeledBatch> {
    const { mint, maxt, skipChunks, isWanted, limit } = this.#request;
    const lazy = this.#lazy.length > 0;
    const path = `${this.#block.ulid}/index`;
    let series = parseEntries(entries, range, {
      mint,
      maxt,
      // Whether a series has chunks in the range is to be known after its matchers have been applied.
      skipChunks: skipChunks && !lazy,
      keepAll: lazy,
      path,
    });
    let bytes = 0;
    for (let i = range.from; i < range.to; i++) {
      bytes += (entries.end[i] as number) - (entries.start[i] as number);
    }
    this.#call.cost.touch('series', range.to - range.from, bytes);
    let labels = await this.#composer.compose(series);
    const places: number[] = [];
    for (let i = 0; i < series.count; i++) {
      const from = labels.starts[i] as number;
      const to = labels.starts[i + 1] as number;
      const one = { bytes: labels.bytes, from, to };
      const place = series.places[i] as number;
      if (lazy && !this.#passesLazy(one, place, base, entries)) continue;
      if (lazy && chunkCount({ batch: { series, labels }, at: i }) === 0) continue;
      if (isWanted !== undefined && !isWanted(one)) continue;
      if (limit > 0 && this.#matched >= limit) {
        this.#full = true;
        break;
      }
      this.#matched++;
      places.push(i);
    }
    if (places.length < series.count) {
      const kept = planRun(
        places.map((at) => ({ batch: { series, labels }, at })),
        { from: 0, to: places.length },
      );
      labels = { bytes: kept.labels, starts: kept.labelStarts };
      series = { ...series, ...kept };
    }
    return { series, labels };
  }

  #passesLazy(one: LabelBytes, place: number, base: number, entries: SeriesEntries): boolean {
    const passes = this.#lazy.every((matcher) => matcher.matches(labelValue(one, matcher.name)));
    if (passes) this.#matchedRefs.push(this.#postings[base + place] as number);
    else {
      const bytes = (entries.end[place] as number) - (entries.start[place] as number);
      this.#shared.onOverfetch(bytes);
    }
    return passes;
  }

  #cacheExpanded(): void {
    const postings = Uint32Array.from(this.#matchedRefs);
    this.#call.cache?.storeExpanded(this.#block.ulid, this.#matchers, postings, this.#call);
  }

  /** Cuts series into runs and reads their chunks, one run ahead of what is taken. */
  async *#load(places: readonly SeriesPlace[]): AsyncGenerator<SeriesRun> {
    const { skipChunks, runBytes } = this.#request;
    let next: Promise<SeriesRun> | undefined;
    try {
      for (let from = 0; from < places.length;) {
        const to = skipChunks
          ? Math.min(places.length, from + RUN_SERIES_MAX)
          : runEnd(places, from, runBytes, this.#block.chunkBytesMax);
        const run = planRun(places, { from, to });
        this.#call.chunksLimit.reserve(run.mint.length, 'exceeded chunks limit');
        const ahead = this.#read(run);
        ahead.catch(() => undefined);
        if (next !== undefined) {
          const ready = next;
          next = ahead;
          yield await ready;
        } else next = ahead;
        from = to;
      }
      if (next !== undefined) {
        const last = next;
        next = undefined;
        yield await last;
      }
    } finally {
      // Whoever stops early does not use what was read ahead.
      next?.then(
        (run) => run.release(),
        () => undefined,
      );
    }
  }

  async #read(run: PlannedRun): Promise<SeriesRun> {
    const { framer, pool, budget, onChunkRefetch, onChunksRead, now } = this.#shared;
    const { aggregates, skipChunks } = this.#request;
    if (skipChunks) {
      return { ...run, frames: undefined, release: holdBytes(budget, plannedBytes(run)) };
    }
    const reading = holdBytes(
      budget,
      plannedBytes(run) + rangeBytes(run, this.#block.chunkBytesMax),
    );
    let frames: FramedChunks | undefined;
    try {
      const begin = now();
      frames = await loadChunks(this.#block, run, this.#call, {
        mask: aggregates,
        framer,
        pool,
        onRefetch: onChunkRefetch,
      });
      onChunksRead(now() - begin);
      // What was read has gone; what was made of it counts from here on.
      reading();
      const letGo = holdBytes(budget, plannedBytes(run) + framedBytes(frames));
      const { buffers } = frames;
      const release = (): void => {
        for (const buffer of buffers.splice(0)) pool.give(buffer);
        letGo();
      };
      return { ...run, frames, release };
    } catch (thrown) {
      reading();
      for (const buffer of frames?.buffers.splice(0) ?? []) pool.give(buffer);
      throw thrown;
    }
  }
}

/**
 * The bytes that a chunk adds to what is read: up to it from the one before, where both are read together, otherwise what is read of one
 * at first. What lies between chunks that are wanted takes memory, too.
 */
function readStep(
  before: number,
  offset: number,
  isSameSegment: boolean,
  chunkBytesMax: number,
): number {
  const distance = offset - before;
  const together = isSameSegment && distance > 0 && distance <= chunkBytesMax + GAP_BYTES_MAX;
  return together ? distance : chunkBytesMax;
}

/** The bytes that are read for a run's chunks, about. */
function rangeBytes({ offsets, segments }: PlannedRun, chunkBytesMax: number): number {
  let bytes = 0;
  for (let i = 0; i < offsets.length; i++) {
    const isSame = i > 0 && segments[i] === segments[i - 1];
    bytes += readStep(offsets[i - 1] ?? 0, offsets[i] as number, isSame, chunkBytesMax);
  }
  return bytes;
}

function framedBytes({ parts }: FramedChunks): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Where a run ends that begins at a series and takes about so many bytes; it has one series at least. */
function runEnd(
  places: readonly SeriesPlace[],
  from: number,
  bytesMax: number,
  chunkBytesMax: number,
): number {
  let bytes = 0;
  let segment = -1;
  let offset = 0;
  for (let to = from; to < places.length; to++) {
    const { batch, at } = places[to] as SeriesPlace;
    const { chunkStarts, offsets, segments } = batch.series;
    const end = chunkStarts[at + 1] as number;
    for (let i = chunkStarts[at] as number; i < end; i++) {
      const next = offsets[i] as number;
      bytes += readStep(offset, next, segments[i] === segment, chunkBytesMax);
      segment = segments[i] as number;
      offset = next;
    }
    if (bytes > bytesMax && to > from) return to;
  }
  return places.length;
}

function batchBytes({ series, labels }: LabeledBatch): number {
  return labels.bytes.length + series.count * 16 + series.mint.length * 24;
}
