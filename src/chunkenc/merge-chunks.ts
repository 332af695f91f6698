/** Chunks of one series that overlap in time become chunks that do not. */
import { CorruptionError } from '../lib/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { orderHistograms } from '../model/order-histograms.ts';
import type { EncodedChunk } from './encoded-chunk.ts';
import { encodeFloats, encodeHistograms } from './encode-columns.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from './encodings.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { XorScratch } from './xor-scratch.ts';

const EVERYTHING = { mint: -Infinity, maxt: Infinity, dropStale: false };

/** Merges chunks, a series' at a time: keeps its columns. */
export class ChunkMerger {
  readonly #scratch = new XorScratch();

  /**
   * The chunks in order of time. Runs of those that overlap are decoded and encoded again as chunks of up to 120 samples;
   * of two samples of one kind with one time the one of the chunk that came first in `chunks` stays, and a float goes before
   * a histogram. `where` says in errors where they came from.
   * @throws CorruptionError when bytes are no chunk of their encoding and count.
   */
  merge(chunks: readonly EncodedChunk[], where: string): EncodedChunk[] {
    // A stable sort: of equal times the first stays the first.
    const sorted = [...chunks].sort((a, b) => a.mint - b.mint);
    const out: EncodedChunk[] = [];
    for (let from = 0; from < sorted.length;) {
      let to = from + 1;
      let maxt = (sorted[from] as EncodedChunk).maxt;
      while (to < sorted.length && (sorted[to] as EncodedChunk).mint <= maxt)
        maxt = Math.max(maxt, (sorted[to++] as EncodedChunk).maxt);
      const run = sorted.slice(from, to);
      if (run.length === 1) out.push(run[0] as EncodedChunk);
      else
        out.push(
          ...this.#encode(
            run.sort((a, b) => chunks.indexOf(a) - chunks.indexOf(b)),
            where,
          ),
        );
      from = to;
    }
    return out;
  }

  #encode(run: readonly EncodedChunk[], where: string): EncodedChunk[] {
    const scratch = this.#scratch;
    scratch.clear();
    const histograms = new HistogramColumns();
    for (const { data, encoding, count } of run) {
      if (encoding !== ENCODING_XOR && encoding !== ENCODING_XOR2) {
        decodeHistogramChunk(data, 0, data.length, encoding, histograms, where);
        continue;
      }
      const middle = scratch.length;
      if (!scratch.append(data, 0, data.length, count, false, encoding))
        throw new CorruptionError('chunk is not a float chunk of its count', where, 0);
      if (middle > 0) scratch.mergeFrom(middle);
    }
    orderHistograms(histograms, EVERYTHING);
    if (histograms.length === 0) return encodeFloats(scratch.t, scratch.v, scratch.length);
    return this.#alternate(histograms);
  }

  /** Runs of floats and of histograms, in turn: chunks of the two kinds must not overlap either. */
  #alternate(histograms: HistogramColumns): EncodedChunk[] {
    const { t, v, length } = this.#scratch;
    const out: EncodedChunk[] = [];
    for (let i = 0, k = 0; i < length || k < histograms.length;) {
      const nextFloat = i < length ? (t[i] as number) : Infinity;
      const run = new HistogramColumns();
      for (; k < histograms.length && (histograms.t[k] as number) < nextFloat; k++)
        run.addFrom(histograms, k);
      out.push(...encodeHistograms(run));
      const nextHistogram = k < histograms.length ? (histograms.t[k] as number) : Infinity;
      let to = i;
      while (to < length && (t[to] as number) <= nextHistogram) to++;
      if (to > i) out.push(...encodeFloats(t.subarray(i, to), v.subarray(i, to), to - i));
      i = to;
      // Of a float and a histogram with one time the float stays.
      const last = i > 0 ? (t[i - 1] as number) : -Infinity;
      while (k < histograms.length && (histograms.t[k] as number) <= last) k++;
    }
    return out;
  }
}
