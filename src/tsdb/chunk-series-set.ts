/** The series that a select on a TSDB found: one or several sources of chunks, merged into one set of columns. */
import type { XorScratch } from '../chunkenc/xor-scratch.ts';
import { CodedError } from '../lib/errors.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { orderHistograms } from '../model/order-histograms.ts';
import type { FloatColumns, SeriesSet, SharedSeries, TimeRange } from '../storage/storage.ts';
import type { ChunkSet } from './index/chunk-set.ts';
import type { Parts } from './merge-by-labels.ts';

/** One source of a set: its series, and what another thread opens them by. */
export interface SetSource<K> {
  readonly key: K;
  readonly set: ChunkSet;
}

/** The payload of shared series: sources opened by key, and parts that count within what each source shared. */
export interface SharedParts<K> {
  readonly sources: readonly { readonly key: K; readonly payload: unknown }[];
  readonly parts: Parts;
}

/** What a set reads with. */
export interface SetReading {
  /** The thread's decoder; columns are views of it. */
  readonly scratch: XorScratch;
  /** Whether samples that the select counted on may have been taken away since. */
  readonly stale: () => boolean;
  /** What is missing from the set. */
  readonly warnings: readonly string[];
}

/** Series of several sources in label order. */
export class ChunkSeriesSet<K> implements SeriesSet {
  readonly #range: TimeRange;
  readonly #sources: readonly SetSource<K>[];
  readonly #parts: Parts;
  readonly #reading: SetReading;

  /** Sources are in the order of time: of two samples with one timestamp that of the earlier source is taken. */
  constructor(
    range: TimeRange,
    sources: readonly SetSource<K>[],
    parts: Parts,
    reading: SetReading,
  ) {
    this.#range = range;
    this.#sources = sources;
    this.#parts = parts;
    this.#reading = reading;
  }

  get count(): number {
    return this.#parts.starts.length - 1;
  }

  get warnings(): readonly string[] {
    return this.#reading.warnings;
  }

  labels(i: number): Labels {
    const part = this.#first(i);
    return this.#source(part).labels(this.#parts.numbers[part] as number);
  }

  sampleEstimate(i: number): number {
    let count = 0;
    for (let part = this.#first(i); part < this.#end(i); part++)
      count += this.#source(part).sampleEstimate(this.#parts.numbers[part] as number);
    return count;
  }

  load(): undefined {
    return undefined;
  }

  readFloats(i: number, into: FloatColumns, dropStale: boolean): void {
    const { scratch, stale } = this.#reading;
    scratch.clear();
    for (let part = this.#first(i); part < this.#end(i); part++) {
      const before = scratch.length;
      this.#source(part).appendFloats(this.#parts.numbers[part] as number, scratch, dropStale);
      // Blocks that overlap in time are rare: they are noticed where one source follows the other.
      if (before > 0) scratch.mergeFrom(before);
    }
    if (stale()) {
      throw new CodedError('unavailable', 'samples moved to a block during the query, ask again');
    }
    scratch.clip(this.#range.mint, this.#range.maxt);
    into.t = scratch.t;
    into.v = scratch.v;
    into.memory = scratch;
    into.length = scratch.length;
    into.mayHaveHistograms = scratch.skippedHistograms;
  }

  readHistograms(i: number, into: HistogramColumns, dropStale: boolean): void {
    const { scratch, stale } = this.#reading;
    scratch.clear();
    into.clear();
    for (let part = this.#first(i); part < this.#end(i); part++) {
      const number = this.#parts.numbers[part] as number;
      this.#source(part).appendHistograms(number, scratch, into);
    }
    if (stale()) {
      throw new CodedError('unavailable', 'samples moved to a block during the query, ask again');
    }
    orderHistograms(into, { ...this.#range, dropStale });
  }

  share(from: number, to: number): SharedSeries {
    const indexes: number[] = [];
    for (let i = from; i < to; i++) indexes.push(i);
    return this.sharePicked(indexes);
  }

  sharePicked(indexes: readonly number[]): SharedSeries {
    const starts = new Uint32Array(indexes.length + 1);
    for (const [n, i] of indexes.entries())
      starts[n + 1] = (starts[n] as number) + this.#end(i) - this.#first(i);
    const sources = new Uint16Array(starts[indexes.length] as number);
    const numbers = new Uint32Array(sources.length);
    const wanted: number[][] = this.#sources.map(() => []);
    for (const [n, i] of indexes.entries()) {
      for (let part = this.#first(i), at = starts[n] as number; part < this.#end(i); part++, at++) {
        const source = this.#parts.sources[part] as number;
        const list = wanted[source] as number[];
        sources[at] = source;
        numbers[at] = list.length;
        list.push(this.#parts.numbers[part] as number);
      }
    }
    const payload: SharedParts<K> = {
      sources: this.#sources.map(({ key, set }, n) => ({
        key,
        payload: set.share(wanted[n] as number[]),
      })),
      parts: { starts, sources, numbers },
    };
    const { mint, maxt } = this.#range;
    return { count: indexes.length, mint, maxt, payload };
  }

  close(): void {
    // Sources hold nothing for a set: what they read is copied out, and files stay open for as long as there are queries
    // that began before (block-table.ts).
  }

  #first(i: number): number {
    const first = this.#parts.starts[i];
    if (first === undefined || i >= this.count) throw new RangeError(`BUG: series ${i}`);
    return first;
  }

  #end(i: number): number {
    return this.#parts.starts[i + 1] as number;
  }

  #source(part: number): ChunkSet {
    return (this.#sources[this.#parts.sources[part] as number] as SetSource<K>).set;
  }
}
