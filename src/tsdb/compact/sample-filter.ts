/** Takes samples out of a chunk. Behaviour: prometheus tsdb/querier.go, populateCurrForSingleChunk. */
import { RESET_HINT } from '../../model/histogram.ts';
import type { DeletedInterval } from '../block/tombstones.ts';
import { ChunkSamples } from './chunk-samples.ts';
import type { MergedChunk } from './merged-chunk.ts';
import { SampleEncoder } from './sample-encoder.ts';

/** limit: what the count of a chunk can say; one chunk stays one, however many samples it has. */
const SAMPLES_MAX = 65535;

/** Filters chunks, one after the other: keeps its columns. */
export class SampleFilter {
  readonly #samples = new ChunkSamples();

  /**
   * What is left of a chunk, encoded again: one chunk nearly always (histograms that do not fit each other may be more),
   * none when nothing is left.
   * @throws CorruptionError when the bytes are no chunk of their encoding and count.
   */
  filter(chunk: MergedChunk, removed: readonly DeletedInterval[]): MergedChunk[] {
    const samples = this.#samples;
    samples.clear();
    samples.add(chunk);
    const { floats, histograms } = samples;
    for (const { mint, maxt } of removed) {
      floats.remove(0, mint, maxt);
      histograms.remove(0, mint, maxt);
    }
    const encoder = new SampleEncoder(SAMPLES_MAX);
    const halves = samples.floatHalves();
    for (let i = 0; i < floats.length; i++)
      encoder.float(floats.t[i] as number, halves[i * 2 + 1] as number, halves[i * 2] as number);
    for (let i = 0; i < histograms.length; i++) {
      // Whether a counter was reset before the first one is not known any more.
      if (histograms.hint[i] !== RESET_HINT.gauge) histograms.hint[i] = RESET_HINT.unknown;
      encoder.histogram(histograms, i);
    }
    return encoder.finish();
  }
}
