/** The series that a select on a block found: labels, and samples decoded when they are asked for. */
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import type { DeletedInterval } from './tombstones.ts';

/** What a set needs of its block. */
export interface BlockSamples {
  /** The labels of a series by its number. */
  labels(series: number): Labels;
  /** What is deleted of a series, if anything. */
  deleted(series: number): readonly DeletedInterval[] | undefined;
  /** To be called before the first chunk of a series is appended. */
  beginSeries(): void;
  /**
   * Appends a chunk's float samples; one of another kind is passed over. `runEnd` is where the last chunk of the series
   * that will be asked for may end.
   */
  appendChunk(scratch: XorScratch, ref: number, runEnd: number, dropStale: boolean): void;
  /** Appends two chunks, one behind the other, at once; false when they are to be appended one by one. */
  appendChunkPair(
    scratch: XorScratch,
    first: number,
    second: number,
    runEnd: number,
    dropStale: boolean,
  ): boolean;
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

/** perf: what the last chunk of a series may take: most float chunks take less. */
const LAST_CHUNK_BYTES = 512;

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
    const runEnd = (refs[end - 1] ?? 0) + LAST_CHUNK_BYTES;
    this.#block.beginSeries();
    const isPlain = !overlaps && deleted === undefined;
    for (let k = starts[i] as number; k < end; k++) {
      if (isPlain && k + 1 < end) {
        const [ref, next] = [refs[k] as number, refs[k + 1] as number];
        if (this.#block.appendChunkPair(scratch, ref, next, runEnd, dropStale)) {
          k++;
          continue;
        }
      }
      // What other sources have put there must be in order before anything can be merged with it.
      if (overlaps && start > 0 && scratch.length > start) scratch.mergeFrom(start);
      const middle = scratch.length;
      this.#block.appendChunk(scratch, refs[k] as number, runEnd, dropStale);
      if (deleted !== undefined) removeIntervals(scratch, middle, deleted);
      if (overlaps && middle > start) scratch.mergeFrom(middle);
    }
  }

  appendHistograms(i: number, scratch: XorScratch, into: HistogramColumns): void {
    const deleted = this.#block.deleted(this.#series(i)) ?? [];
    const { starts, refs } = this.#found;
    const end = starts[i + 1] as number;
    const runEnd = (refs[end - 1] ?? 0) + LAST_CHUNK_BYTES;
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
