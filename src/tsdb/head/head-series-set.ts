/** The series that a select on a head found: labels, and samples decoded when they are asked for. */
import type { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { TimeRange } from '../../storage/storage.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import type { ArenaView } from './arena.ts';
import type { ChunkSource } from './chunk-source.ts';
import { CHUNK_WORDS, SeriesSnapshot } from './series-snapshot.ts';

/** A series of a select: where it is, and its labels unless it came from another thread. */
export interface FoundSeries {
  readonly arena: number;
  readonly address: number;
  readonly labels?: Labels;
}

/** The payload of shared series. */
export interface SharedHeadSeries {
  readonly arenas: Uint8Array;
  readonly addresses: Float64Array;
}

/** Series of one head in label order. */
export class HeadSeriesSet implements ChunkSet {
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

  sampleEstimate(i: number): number {
    const { arena, address } = this.#series(i);
    this.#snapshot.take(this.#views[arena] as ArenaView, address, this.#range, false);
    return this.#snapshot.sampleCount;
  }

  appendFloats(i: number, scratch: XorScratch, dropStale: boolean): void {
    const { arena, address } = this.#series(i);
    const snapshot = this.#snapshot;
    snapshot.take(this.#views[arena] as ArenaView, address, this.#range, true);
    for (let k = 0; k < snapshot.chunkCount; k++) {
      const at = k * CHUNK_WORDS;
      const file = snapshot.chunks[at] as number;
      const offset = snapshot.chunks[at + 1] as number;
      const length = snapshot.chunks[at + 2] as number;
      const count = snapshot.chunks[at + 3] as number;
      const sound =
        file === 0
          ? scratch.append(snapshot.bytes, offset, length, count, dropStale)
          : this.#source.append(scratch, { file, offset, length, count }, dropStale);
      if (!sound) {
        const where = file === 0 ? 'head memory' : this.#source.files.path(file);
        throw new CorruptionError('chunk is not a float (XOR) chunk of its count', where, offset);
      }
    }
  }

  share(indexes: readonly number[]): SharedHeadSeries {
    const part = indexes.map((i) => this.#series(i));
    return {
      arenas: Uint8Array.from(part, (series) => series.arena),
      addresses: Float64Array.from(part, (series) => series.address),
    };
  }

  #series(i: number): FoundSeries {
    const series = this.#found[i];
    if (series === undefined) throw new RangeError(`BUG: series ${i} of ${this.#found.length}`);
    return series;
  }
}
