/** Puts together which chunks of which series of a block a range needs, in typed arrays. */
import type { TimeRange } from '../../storage/storage.ts';
import type { SeriesEntry } from '../index/series-entry.ts';
import type { FoundChunks } from './block-series-set.ts';
import type { DeletedInterval } from './tombstones.ts';

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

  /** Adds a series whose entry was read, also when none of its chunks is in the range. */
  add(series: number, entry: SeriesEntry, deleted: readonly DeletedInterval[] | undefined): void {
    if (this.#chunks + entry.chunkCount > this.#refs.length) this.#grow(entry.chunkCount);
    const { mint, maxt } = this.#range;
    let end = -Infinity;
    for (let i = 0; i < entry.chunkCount; i++) {
      const from = entry.mint[i] as number;
      const to = entry.maxt[i] as number;
      if (from > maxt || to < mint) continue;
      if (deleted !== undefined && isDeleted(from, to, deleted)) continue;
      if (from <= end) this.#overlapping.add(this.#count);
      end = Math.max(end, to);
      this.#refs[this.#chunks++] = entry.refs[i] as number;
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

/** Whether one interval covers a whole chunk. */
function isDeleted(mint: number, maxt: number, deleted: readonly DeletedInterval[]): boolean {
  return deleted.some((interval) => interval.mint <= mint && interval.maxt >= maxt);
}
