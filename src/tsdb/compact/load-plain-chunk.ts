/** Reads a chunk in an encoding that every reader knows. */
import { ENCODING_AGGR } from '../../chunkenc/aggr-chunk.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_FLOAT_HISTOGRAM_ST } from '../../chunkenc/encodings.ts';
import { transcodeChunk } from '../../chunkenc/transcode.ts';
import { CodedError } from '../../lib/errors.ts';
import type { MergedChunk } from './merged-chunk.ts';
import type { SegmentWindows } from './segment-windows.ts';

/**
 * Loads the chunk at `into.ref`, as it is or without its start timestamps: encoding 1, 2 or 3.
 * @throws CorruptionError for one that is damaged, CodedError not_implemented for one of another encoding.
 */
export function loadPlainChunk(segments: SegmentWindows, into: MergedChunk): void {
  segments.load(into);
  if (into.encoding >= 1 && into.encoding <= ENCODING_FLOAT_HISTOGRAM) return;
  if (into.encoding > ENCODING_FLOAT_HISTOGRAM_ST || into.encoding === 0) {
    const kind = into.encoding === ENCODING_AGGR ? 'of downsampled blocks ' : '';
    const what = `merging chunks ${kind}(encoding ${into.encoding}) is not implemented yet`;
    throw new CodedError('not_implemented', into.corrupt(what).message);
  }
  const plain = transcodeChunk(into.encoding, into.data, segments.corrupt(into.ref, '').where);
  into.encoding = plain.encoding;
  into.data = plain.data;
}
