/** Samples of chunks, decoded into columns run by run. */
import { ENCODING_XOR } from '../../chunkenc/encodings.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { MergedChunk } from './merged-chunk.ts';

/** The samples of one chunk: rows from..to of the columns of its kind. */
export interface SampleRun {
  readonly isFloat: boolean;
  readonly from: number;
  readonly to: number;
}

/** Columns that chunks of encodings 1 to 3 are decoded into. */
export class ChunkSamples {
  readonly floats = new XorScratch();
  readonly histograms = new HistogramColumns();

  /** Forgets all samples. */
  clear(): void {
    this.floats.clear();
    this.histograms.clear();
  }

  /** Appends a chunk's samples. @throws CorruptionError when its bytes are no chunk of its encoding and count. */
  add(chunk: MergedChunk): SampleRun {
    const { bytes, from: start, to, encoding, count } = chunk;
    const length = to - start;
    if (encoding !== ENCODING_XOR) {
      const from = this.histograms.length;
      const where = chunk.origin?.corrupt(chunk.ref, '').where ?? '';
      decodeHistogramChunk(bytes, start, length, encoding, this.histograms, where);
      return { isFloat: false, from, to: this.histograms.length };
    }
    const from = this.floats.length;
    if (!this.floats.append(bytes, start, length, count, false)) {
      throw chunk.corrupt('chunk is not a float (XOR) chunk of its count');
    }
    return { isFloat: true, from, to: this.floats.length };
  }

  /** The values of floats as pairs of halves, low and high; valid until the next add. */
  floatHalves(): Uint32Array {
    const { v, length } = this.floats;
    return new Uint32Array(v.buffer, v.byteOffset, length * 2);
  }
}
