/** Puts together which chunks of which series of a block a range needs, in typed arrays. */
import type { TimeRange } from '../../storage/storage.ts';
import type { SeriesEntry } from '../index/series-entry.ts';
import type { FoundChunks } from './block-series-set.ts';
import type { DeletedInterval, Tombstones } from './tombstones.ts';

/** Chunks with their times: mint and maxt by chunk, ms, both inclusive. */
interface TimedChunks {
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
  readonly refs: Float64Array;
}

/** All chunks of series of a block, whatever the range. Nobody may change it: it is kept, and shared by sets. */
export interface AllChunks extends FoundChunks, TimedChunks {
  /** The earliest maxt and the latest mint of a chunk: a range from one to the other, or wider, needs all of them. */
  readonly firstEnd: number;
  readonly lastBegin: number;
}

/** perf: chunks of a series in most ranges. */
const CHUNKS_PER_SERIES = 4;

/** Collects the chunks of series, in label order. */
export class FoundChunksBuilder {
  readonly #range: TimeRange;
  readonly #series: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #overlapping = new Set<number>();
  #refs: Float64Array;
  #count = 0;
  #chunks = 0;

  /** For at most so many series. */
  constructor(range: TimeRange, seriesMax: number) {
    this.#range = range;
    this.#series = new Uint32Array(seriesMax);
    this.#starts = new Uint32Array(seriesMax + 1);
    this.#refs = new Float64Array(seriesMax * CHUNKS_PER_SERIES);
  }

  /** Adds a series with chunks from..to (exclusive) of a list, also when none of them is in the range. */
  add(
    series: number,
    chunks: TimedChunks,
    { from, to }: { readonly from: number; readonly to: number },
    deleted: readonly DeletedInterval[] | undefined,
  ): void {
    if (this.#chunks + to - from > this.#refs.length) this.#grow(to - from);
    const { mint, maxt } = this.#range;
    let end = -Infinity;
    for (let i = from; i < to; i++) {
      const first = chunks.mint[i] as number;
      const last = chunks.maxt[i] as number;
      if (first > maxt || last < mint) continue;
      if (deleted !== undefined && isDeleted(first, last, deleted)) continue;
      if (first <= end) this.#overlapping.add(this.#count);
      end = Math.max(end, last);
      this.#refs[this.#chunks++] = chunks.refs[i] as number;
    }
    this.#series[this.#count++] = series;
    this.#starts[this.#count] = this.#chunks;
  }

  /** Takes the series added last back if it has no chunk. */
  dropEmpty(): void {
    if (this.#chunks === this.#starts[this.#count - 1]) this.#count--;
  }

  /** What has been added; the builder is used up. */
  finish(): FoundChunks {
    return {
      series: this.#series.subarray(0, this.#count),
      starts: this.#starts.subarray(0, this.#count + 1),
      refs: this.#refs.subarray(0, this.#chunks),
      overlapping: this.#overlapping,
    };
  }

  #grow(more: number): void {
    const refs = new Float64Array(Math.max(this.#chunks + more, this.#refs.length * 2));
    refs.set(this.#refs);
    this.#refs = refs;
  }
}

/** Collects all chunks of series, in label order, with their times. */
export class AllChunksBuilder {
  readonly #found: FoundChunksBuilder;
  #mint: Float64Array;
  #maxt: Float64Array;
  #chunks = 0;
  #firstEnd = Infinity;
  #lastBegin = -Infinity;

  /** For at most so many series. */
  constructor(seriesMax: number) {
    this.#found = new FoundChunksBuilder({ mint: -Infinity, maxt: Infinity }, seriesMax);
    this.#mint = new Float64Array(seriesMax * CHUNKS_PER_SERIES);
    this.#maxt = new Float64Array(seriesMax * CHUNKS_PER_SERIES);
  }

  /** Adds a series whose entry was read, unless it has no chunk. */
  add(series: number, entry: SeriesEntry): void {
    const { chunkCount, mint, maxt } = entry;
    if (chunkCount === 0) return;
    this.#found.add(series, entry, { from: 0, to: chunkCount }, undefined);
    if (this.#chunks + chunkCount > this.#mint.length) this.#grow(chunkCount);
    for (let i = 0; i < chunkCount; i++) {
      const [begin, end] = [mint[i] as number, maxt[i] as number];
      this.#mint[this.#chunks] = begin;
      this.#maxt[this.#chunks++] = end;
      this.#firstEnd = Math.min(this.#firstEnd, end);
      this.#lastBegin = Math.max(this.#lastBegin, begin);
    }
  }

  /** What has been added; the builder is used up. */
  finish(): AllChunks {
    return {
      ...this.#found.finish(),
      mint: this.#mint.subarray(0, this.#chunks),
      maxt: this.#maxt.subarray(0, this.#chunks),
      firstEnd: this.#firstEnd,
      lastBegin: this.#lastBegin,
    };
  }

  #grow(more: number): void {
    const size = Math.max(this.#chunks + more, this.#mint.length * 2);
    const [mint, maxt] = [this.#mint, this.#maxt];
    this.#mint = new Float64Array(size);
    this.#maxt = new Float64Array(size);
    this.#mint.set(mint);
    this.#maxt.set(maxt);
  }
}

/**
 * Those of the chunks that a range needs and that are not deleted as a whole. While all series have any, `series` is that of
 * `all`.
 */
export function clipChunks(all: AllChunks, range: TimeRange, tombstones: Tombstones): FoundChunks {
  const { series, starts, refs, overlapping, firstEnd, lastBegin } = all;
  const whole = range.mint <= firstEnd && range.maxt >= lastBegin;
  if (whole && tombstones.size === 0) return { series, starts, refs, overlapping };
  const found = new FoundChunksBuilder(range, series.length);
  for (let i = 0; i < series.length; i++) {
    const number = series[i] as number;
    const chunks = { from: starts[i] as number, to: starts[i + 1] as number };
    found.add(number, all, chunks, tombstones.get(number));
    found.dropEmpty();
  }
  const clipped = found.finish();
  return clipped.series.length < series.length ? clipped : { ...clipped, series };
}

/** Whether one interval covers a whole chunk. */
function isDeleted(mint: number, maxt: number, deleted: readonly DeletedInterval[]): boolean {
  return deleted.some((interval) => interval.mint <= mint && interval.maxt >= maxt);
}
