/**
 * Chunks that overlap become chunks that do not: their samples in order of time, of each time one. Behaviour: prometheus
 * storage/merge.go, compactChunkIterator and chainSampleIterator.
 */
import { RESET_HINT } from '../../model/histogram.ts';
import { ChunkSamples } from './chunk-samples.ts';
import type { MergedChunk } from './merged-chunk.ts';
import { SampleEncoder } from './sample-encoder.ts';
import { TieHeap } from './tie-heap.ts';

/** What Prometheus gives chunks that it puts together. */
const SAMPLES_PER_CHUNK = 120;

/** A run of samples that is read from its first to its last. */
interface Reader {
  readonly isFloat: boolean;
  /** Times in ms of the column that the run lies in. */
  readonly times: Float64Array;
  readonly to: number;
  /** The row at hand. */
  at: number;
}

/** Chains chunks, a few at a time: keeps its columns. */
export class SampleChain {
  readonly #samples = new ChunkSamples();
  /** Values of the floats as pairs of halves. */
  #halves: Uint32Array = new Uint32Array(0);
  readonly #heap = new TieHeap<Reader>((a, b) => timeOf(a) < timeOf(b));

  /**
   * The samples of chunks of encodings 1 to 3, at least one, as new chunks of up to 120.
   *
   * compat: of several samples of one time Prometheus' chain keeps an arbitrary one, and we the same: the chunk that is
   * being read stands back behind the one that waits. So the order of the chunks matters.
   * @throws CorruptionError when bytes are no chunk of their encoding and count.
   */
  merge(chunks: readonly MergedChunk[]): MergedChunk[] {
    const encoder = new SampleEncoder(SAMPLES_PER_CHUNK);
    const heap = this.#heap;
    heap.clear();
    let [current, ...waiting] = this.#decode(chunks);
    for (const reader of waiting) if (++reader.at < reader.to) heap.push(reader);
    // The first sample has none before it that it could follow on.
    let isNext = false;
    for (let last = -Infinity; current !== undefined;) {
      if (++current.at < current.to) {
        const t = timeOf(current);
        if (t === last) continue;
        const rival = heap.top;
        if (rival === undefined || t < timeOf(rival)) {
          this.#emit(encoder, current, isNext);
          isNext = true;
          last = t;
          continue;
        }
        heap.push(current);
      }
      current = heap.pop();
      isNext = false;
      if (current === undefined || timeOf(current) === last) continue;
      this.#emit(encoder, current, false);
      isNext = true;
      last = timeOf(current);
    }
    return encoder.finish();
  }

  /** Readers before the first sample of their runs. */
  #decode(chunks: readonly MergedChunk[]): Reader[] {
    const samples = this.#samples;
    samples.clear();
    const runs = chunks.map((chunk) => samples.add(chunk));
    const { floats, histograms } = samples;
    this.#halves = samples.floatHalves();
    return runs.map(({ isFloat, from, to }) => {
      return { isFloat, times: isFloat ? floats.t : histograms.t, at: from - 1, to };
    });
  }

  #emit(encoder: SampleEncoder, { isFloat, at }: Reader, isNext: boolean): void {
    const { floats, histograms } = this.#samples;
    if (isFloat) {
      const halves = this.#halves;
      const low = halves[at * 2] as number;
      encoder.float(floats.t[at] as number, halves[at * 2 + 1] as number, low);
      return;
    }
    const { hint } = histograms;
    if (!isNext && hint[at] !== RESET_HINT.gauge) hint[at] = RESET_HINT.unknown;
    encoder.histogram(histograms, at);
  }
}

function timeOf({ times, at }: Reader): number {
  return times[at] as number;
}
