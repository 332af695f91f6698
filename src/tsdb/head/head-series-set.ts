/** The series that a select on a head found: labels, and samples decoded when they are asked for. */
import { ENCODING_XOR, ENCODING_XOR2 } from '../../chunkenc/encodings.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import type { ArenaView } from './arena.ts';
import type { ChunkSource } from './chunk-source.ts';
import { SeriesSnapshot } from './series-snapshot.ts';
import type { HeadWindow, SnapshotPlace } from './series-snapshot.ts';

/**
 * A series of a select: where it is, its newest sample when the select was made, and its labels unless it came from
 * another thread. Later samples belong to writes that the select does not see.
 */
export interface FoundSeries {
  readonly arena: number;
  readonly address: number;
  readonly lastT: number;
  readonly labels?: Labels;
}

/** The payload of shared series. */
export interface SharedHeadSeries {
  readonly arenas: Uint8Array;
  readonly addresses: Float64Array;
  readonly lastTimes: Float64Array;
}

/** Series of one head in label order. */
export class HeadSeriesSet implements ChunkSet {
  readonly #window: HeadWindow;
  readonly #found: readonly FoundSeries[];
  readonly #views: readonly ArenaView[];
  readonly #source: ChunkSource;
  readonly #snapshot = new SeriesSnapshot();

  constructor(
    window: HeadWindow,
    found: readonly FoundSeries[],
    views: readonly ArenaView[],
    source: ChunkSource,
  ) {
    this.#window = window;
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

  sampleEstimate(i: number): number {
    this.#take(i, false);
    return this.#snapshot.sampleCount;
  }

  appendFloats(i: number, scratch: XorScratch, dropStale: boolean): void {
    const { lastT } = this.#take(i, true);
    const snapshot = this.#snapshot;
    const start = scratch.length;
    let late = false;
    for (let k = 0; k < snapshot.chunkCount; k++) {
      const { encoding, isLate } = snapshot.chunkAt(k);
      if (!isFloatEncoding(encoding)) {
        scratch.skippedHistograms = true;
        continue;
      }
      if (isLate && !late) {
        late = true;
        this.#endInOrder(scratch, start, lastT);
        // What other sources have put there must be in order before anything can be merged with it.
        if (start > 0 && scratch.length > start) scratch.mergeFrom(start);
      }
      const middle = scratch.length;
      this.#appendChunk(scratch, k, dropStale);
      if (late && middle > 0) scratch.mergeFrom(middle);
    }
    if (!late) this.#endInOrder(scratch, start, lastT);
  }

  appendHistograms(i: number, scratch: XorScratch, into: HistogramColumns): void {
    const { lastT } = this.#take(i, true);
    const { chunkCount, bytes, deleted } = this.#snapshot;
    for (let k = 0; k < chunkCount; k++) {
      const chunk = this.#snapshot.chunkAt(k);
      if (isFloatEncoding(chunk.encoding)) continue;
      const from = into.length;
      const data =
        chunk.file === 0
          ? bytes.subarray(chunk.offset, chunk.offset + chunk.length)
          : this.#source.read(scratch, chunk);
      decodeHistogramChunk(data, 0, chunk.length, chunk.encoding, into, this.#where(chunk));
      if (!chunk.isLate) keepWritten(into, from, lastT, deleted);
    }
  }

  share(indexes: readonly number[]): SharedHeadSeries {
    const part = indexes.map((i) => this.#series(i));
    return {
      arenas: Uint8Array.from(part, (series) => series.arena),
      addresses: Float64Array.from(part, (series) => series.address),
      lastTimes: Float64Array.from(part, (series) => series.lastT),
    };
  }

  #take(i: number, withBytes: boolean): FoundSeries {
    const series = this.#series(i);
    const view = this.#views[series.arena] as ArenaView;
    this.#snapshot.take(view, series.address, this.#window, withBytes);
    return series;
  }

  /**
   * Drops in-order samples that came after the select, and deleted ones.
   * compat: as in Prometheus, deleting leaves alone what came out of order and is in no block yet.
   */
  #endInOrder(scratch: XorScratch, start: number, lastT: number): void {
    while (scratch.length > start && (scratch.t[scratch.length - 1] as number) > lastT)
      scratch.length--;
    const { deleted } = this.#snapshot;
    for (let k = 0; k < deleted.length; k += 2)
      scratch.remove(start, deleted[k] as number, deleted[k + 1] as number);
  }

  #appendChunk(scratch: XorScratch, k: number, dropStale: boolean): void {
    const chunk = this.#snapshot.chunkAt(k);
    const { file, offset, length, count, encoding } = chunk;
    const sound =
      file === 0
        ? scratch.append(this.#snapshot.bytes, offset, length, count, dropStale, encoding)
        : this.#source.append(scratch, chunk, dropStale);
    if (sound) return;
    const message = `chunk is not a float chunk (encoding ${encoding}) of its count`;
    throw new CorruptionError(message, this.#where(chunk), offset);
  }

  #where({ file }: SnapshotPlace): string {
    return file === 0 ? 'head memory' : this.#source.files.path(file);
  }

  #series(i: number): FoundSeries {
    const series = this.#found[i];
    if (series === undefined) throw new RangeError(`BUG: series ${i} of ${this.#found.length}`);
    return series;
  }
}

function isFloatEncoding(encoding: number): boolean {
  return encoding === ENCODING_XOR || encoding === ENCODING_XOR2;
}

/** Takes in-order histograms from a number on out again that came after the select, or are deleted. */
function keepWritten(
  columns: HistogramColumns,
  from: number,
  lastT: number,
  deleted: Float64Array,
): void {
  while (columns.length > from && (columns.t[columns.length - 1] as number) > lastT)
    columns.dropNewest();
  for (let k = 0; k < deleted.length; k += 2)
    columns.remove(from, deleted[k] as number, deleted[k + 1] as number);
}
