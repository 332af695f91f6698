/** Chunks of histograms that came out of order: single ones, kept as chunks of one sample, become chunks of many. */
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { encodeHistograms } from '../../chunkenc/encode-columns.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import { HistogramColumns } from '../../model/histogram.ts';

/**
 * Puts chunks of one histogram each, in time order and of one encoding, together: as few chunks as their layouts allow,
 * without a word about counter resets, because what lies between the samples is not known.
 */
export function joinHistogramChunks(
  encoding: number,
  parts: readonly Uint8Array[],
): EncodedChunk[] {
  const columns = new HistogramColumns();
  for (const part of parts)
    decodeHistogramChunk(part, 0, part.length, encoding, columns, 'head memory');
  return encodeHistograms(columns);
}
