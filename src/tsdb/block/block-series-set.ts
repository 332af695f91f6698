/** The series that a select on a block found: labels, and samples decoded when they are asked for. */
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import type { DeletedInterval } from './tombstones.ts';

/** Chunks of a series: those at refs[from..end]. */
export interface ChunkRun {
  readonly refs: Float64Array;
  readonly from: number;
  readonly end: number;
  /** Where the last chunk of the series that will be asked for may end. */
  readonly runEnd: number;
}

/** What a set needs of its block. */
export interface BlockSamples {
  /** The labels of a series by its number. */
  labels(series: number): Labels;
  /** What is deleted of a series, if anything. */
  deleted(series: number): readonly DeletedInterval[] | undefined;
  /** To be called before the first chunk of a series is appended. */
  beginSeries(): void;
  /**
   * Appends the float samples of the first chunk of a run, and of as many behind it as is fast; answers of how many. Chunks of
   * another kind are passed over.
   */
  appendChunks(scratch: XorScratch, run: ChunkRun, dropStale: boolean): number;
  /** Appends a chunk's native histograms; one of floats is passed over. `scratch` is used to read with. */
  appendHistogramChunk(
    scratch: XorScratch,
    ref: number,
    runEnd: number,
    into: HistogramColumns,
  ): void;
}

/** Series of a block and the refs of their chunks in a range: plain data, which other threads get as it is. */
export interface FoundChunks {
  /** Numbers of the series, in label order. */
  readonly series: Uint32Array;
  /** The chunks of series[i] are refs[starts[i]..starts[i + 1]], in time order. */
  readonly starts: Uint32Array;
  readonly refs: Float64Array;
  /** Places in `series` of those whose chunks overlap in time; hardly ever any. */
  readonly overlapping: ReadonlySet<number>;
}

/** perf: what the only chunk of a series may take: most float chunks take less. */
const ONLY_CHUNK_BYTES = 512;
/** limit: of what is read for the last chunk of a series: refs may lie apart for other reasons than the size of a chunk. */
const LAST_CHUNK_BYTES_MAX = 4096;

/** What Prometheus' head cuts chunks at; compaction leaves them as they are. */
const SAMPLES_PER_CHUNK = 120;

/** Series of one block in label order. */
export class BlockSeriesSet implements ChunkSet {
  readonly #block: BlockSamples;
  readonly #found: FoundChunks;

  constructor(block: BlockSamples, found: FoundChunks) {
    this.#block = block;
    this.#found = found;
  }

  get count(): number {
    return this.#found.series.length;
  }

  get identity(): object {
    return this.#found.series;
  }

  labels(i: number): Labels {
    return this.#block.labels(this.#series(i));
  }

  sampleEstimate(i: number): number {
    this.#series(i);
    const { starts } = this.#found;
    return ((starts[i + 1] as number) - (starts[i] as number)) * SAMPLES_PER_CHUNK;
  }

  appendFloats(i: number, scratch: XorScratch, dropStale: boolean): void {
    const deleted = this.#block.deleted(this.#series(i));
    const { starts, refs, overlapping } = this.#found;
    const overlaps = overlapping.has(i);
    const start = scratch.length;
    const end = starts[i + 1] as number;
    const runEnd = runEndOf(refs, starts[i] as number, end);
    this.#block.beginSeries();
    const isPlain = !overlaps && deleted === undefined;
    for (let k = starts[i] as number; k < end;) {
      // What other sources have put there must be in order before anything can be merged with it.
      if (overlaps && start > 0 && scratch.length > start) scratch.mergeFrom(start);
      const middle = scratch.length;
      const run = { refs, from: k, end: isPlain ? end : k + 1, runEnd };
      k += this.#block.appendChunks(scratch, run, dropStale);
      if (deleted !== undefined) removeIntervals(scratch, middle, deleted);
      if (overlaps && middle > start) scratch.mergeFrom(middle);
    }
  }

  appendHistograms(i: number, scratch: XorScratch, into: HistogramColumns): void {
    const deleted = this.#block.deleted(this.#series(i)) ?? [];
    const { starts, refs } = this.#found;
    const end = starts[i + 1] as number;
    const runEnd = runEndOf(refs, starts[i] as number, end);
    const start = into.length;
    this.#block.beginSeries();
    for (let k = starts[i] as number; k < end; k++)
      this.#block.appendHistogramChunk(scratch, refs[k] as number, runEnd, into);
    for (const { mint, maxt } of deleted) into.remove(start, mint, maxt);
  }

  /** With the places of their chunks: the index need not be read again for them. */
  share(indexes: readonly number[]): FoundChunks {
    const { starts, refs, overlapping } = this.#found;
    if (isRun(indexes)) return this.#shareRun(indexes[0] as number, indexes.length);
    const shared = {
      series: Uint32Array.from(indexes, (i) => this.#series(i)),
      starts: new Uint32Array(indexes.length + 1),
      overlapping: new Set<number>(),
    };
    for (const [n, i] of indexes.entries()) {
      const count = (starts[i + 1] as number) - (starts[i] as number);
      shared.starts[n + 1] = (shared.starts[n] as number) + count;
      if (overlapping.has(i)) shared.overlapping.add(n);
    }
    const sharedRefs = new Float64Array(shared.starts[indexes.length] as number);
    for (const [n, i] of indexes.entries())
      sharedRefs.set(refs.subarray(starts[i], starts[i + 1]), shared.starts[n]);
    return { ...shared, refs: sharedRefs };
  }

  /** perf: shards are ranges of series, and nearly always ranges here, too. */
  #shareRun(first: number, count: number): FoundChunks {
    const { series, starts, refs, overlapping } = this.#found;
    this.#series(first + count - 1);
    const from = starts[first] as number;
    const end = starts[first + count] as number;
    return {
      series: series.slice(first, first + count),
      starts: starts.subarray(first, first + count + 1).map((start) => start - from),
      refs: refs.slice(from, end),
      overlapping: new Set(
        [...overlapping].map((i) => i - first).filter((i) => i >= 0 && i < count),
      ),
    };
  }

  #series(i: number): number {
    const series = this.#found.series[i];
    if (series === undefined) throw new RangeError(`BUG: series ${i} of ${this.count}`);
    return series;
  }
}

/**
 * Where the chunks refs[from..end] end, about: the last one takes what the one before it does and a bit. perf: too short a guess
 * reads the last chunk a second time, too long a one reads what nobody asks for.
 */
function runEndOf(refs: Float64Array, from: number, end: number): number {
  const last = refs[end - 1] ?? 0;
  if (end - from < 2) return last + ONLY_CHUNK_BYTES;
  const before = last - (refs[end - 2] as number);
  return last + Math.min(64 + Math.ceil(before * 1.25), LAST_CHUNK_BYTES_MAX);
}

/** Whether numbers, one or more, ascend by one. */
function isRun(numbers: readonly number[]): boolean {
  const first = numbers[0];
  return first !== undefined && numbers.every((number, i) => number === first + i);
}

/** Takes the samples from an index on that lie in any of the intervals out of a scratch. */
function removeIntervals(
  scratch: XorScratch,
  from: number,
  intervals: readonly DeletedInterval[],
): void {
  const { t, v } = scratch;
  for (const { mint, maxt } of intervals) {
    let first = from;
    while (first < scratch.length && (t[first] as number) < mint) first++;
    let last = first;
    while (last < scratch.length && (t[last] as number) <= maxt) last++;
    if (last === first) continue;
    // Values move as bytes: a stale marker may change in a number variable.
    t.copyWithin(first, last, scratch.length);
    v.copyWithin(first, last, scratch.length);
    scratch.length -= last - first;
  }
}
