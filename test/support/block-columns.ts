/** Float columns of a block's series: raw ones, and the aggregates of downsampled ones. */
import { AGGREGATES, AggrParts, ENCODING_AGGR } from '../../src/chunkenc/aggr-chunk.ts';
import type { Aggregate } from '../../src/chunkenc/aggr-chunk.ts';
import { isHistogramEncoding } from '../../src/chunkenc/histogram-chunk-header.ts';
import { decodeHistogramChunk } from '../../src/chunkenc/histogram-decode.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { decodeXor } from './block-frames.ts';
import type { BlockSeries, Columns } from './block-frames.ts';

const ENCODING_XOR = 1;

/** The raw float samples of a series; undefined when it has none, but histograms. */
export function rawColumns({ chunks }: BlockSeries): Columns | undefined {
  const floats = chunks.filter(({ encoding }) => encoding === ENCODING_XOR);
  return floats.length === 0 ? undefined : decodeXor(floats.map(({ data }) => data));
}

/** The native histograms of a raw series; undefined when it has none. */
export function rawHistograms({ chunks }: BlockSeries): HistogramColumns | undefined {
  const columns = new HistogramColumns();
  for (const { encoding, data } of chunks) {
    if (isHistogramEncoding(encoding))
      decodeHistogramChunk(data, 0, data.length, encoding, columns);
  }
  return columns.length === 0 ? undefined : columns;
}

/** One aggregate of a downsampled series, chunk by chunk; undefined where it is not of floats. */
export function aggregateChunks(
  { chunks, labels }: BlockSeries,
  aggregate: Aggregate,
): (Buffer | undefined)[] {
  const parts = new AggrParts();
  const k = AGGREGATES.indexOf(aggregate);
  return chunks.map(({ encoding, data }) => {
    if (encoding !== ENCODING_AGGR || !parts.split(data, 0, data.length)) {
      throw new Error(`${labels.toString()}: not an aggregate chunk`);
    }
    const [offset, length] = [parts.offsets[k] as number, parts.lengths[k] as number];
    const isFloat = length > 0 && parts.encodings[k] === ENCODING_XOR;
    return isFloat ? data.subarray(offset, offset + length) : undefined;
  });
}

/** One aggregate of a downsampled series of floats; undefined for one of histograms, which have no minimum. */
export function aggregateColumns(series: BlockSeries, aggregate: Aggregate): Columns | undefined {
  if (aggregateChunks(series, 'min').includes(undefined)) return undefined;
  const chunks = aggregateChunks(series, aggregate).filter((chunk) => chunk !== undefined);
  return decodeXor(chunks);
}

/** What Thanos shows of downsampled gauges: sums by counts. */
export function averageColumns(series: BlockSeries): Columns | undefined {
  const counts = aggregateColumns(series, 'count');
  const sums = aggregateColumns(series, 'sum');
  if (counts === undefined || sums === undefined) return undefined;
  return { t: sums.t, v: sums.v.map((sum, i) => sum / (counts.v[i] as number)) };
}
