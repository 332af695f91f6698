/** Decodes histogram chunks into columns (docs/format/histogram-chunks.md). */
import { EXPONENTIAL_SCHEMA_MAX, HistogramColumns } from '../model/histogram.ts';
import { coarserBuckets } from './coarser-buckets.ts';
import { HistogramChunkReader } from './histogram-chunk-reader.ts';
import type { StartTimes } from './start-times.ts';

/**
 * Appends the samples of the chunk of encoding 2, 3, 5 or 6 at bytes[offset..offset + length], its count in front, to
 * columns, and answers how many there are. `where` names the file or body in errors; `st`, if there is one, gets the
 * start timestamp of each row that is added.
 *
 * A sample's hint is the one that Prometheus' iterators give: gauge in a gauge's chunk, otherwise not reset, but unknown
 * for the first, whatever the header says ({@link histogramChunkHint} reads that). Stale markers come as Prometheus reads
 * them: only time and sum. Schemas above 8 are reserved; their buckets are joined to schema 8.
 *
 * @throws CorruptionError when the bytes are not such a chunk; the columns are then as before.
 */
export function decodeHistogramChunk(
  bytes: Uint8Array,
  offset: number,
  length: number,
  encoding: number,
  into: HistogramColumns,
  where = 'histogram chunk',
  st?: StartTimes,
): number {
  const chunk = new HistogramChunkReader({ bytes, offset, length, where }, encoding);
  const isTooFine = chunk.layout.schema > EXPONENTIAL_SCHEMA_MAX;
  const target = isTooFine ? new HistogramColumns() : into;
  const before = { length: into.length, buckets: into.bucketsLength, layouts: into.layouts.length };
  try {
    for (let i = 0; i < chunk.count; i++) {
      chunk.next(target);
      const start = chunk.nextStart();
      st?.set(before.length + i, start);
    }
    if (isTooFine) joinBuckets(target, into, chunk);
  } catch (thrown) {
    into.length = before.length;
    into.bucketsLength = before.buckets;
    into.layouts.length = before.layouts;
    throw thrown;
  }
  return chunk.count;
}

/** Appends samples with buckets of too fine a schema. @throws CorruptionError when their spans overlap. */
function joinBuckets(
  from: HistogramColumns,
  into: HistogramColumns,
  { layout, bits }: HistogramChunkReader,
): void {
  const coarser = coarserBuckets(layout, EXPONENTIAL_SCHEMA_MAX);
  if (coarser === undefined) throw bits.error(`spans of schema ${layout.schema} overlap`);
  for (let i = 0; i < from.length; i++) {
    if (from.layoutAt(i) !== layout) {
      into.addFrom(from, i);
      continue;
    }
    const row = into.add(coarser.layout);
    into.t[row] = from.t[i] as number;
    into.sum.set(from.sum.subarray(i, i + 1), row);
    into.count[row] = from.count[i] as number;
    into.zeroCount[row] = from.zeroCount[i] as number;
    into.hint[row] = from.hint[i] as number;
    into.isFloat[row] = from.isFloat[i] as number;
    const start = into.start[row] as number;
    const first = from.start[i] as number;
    into.buckets.fill(0, start, into.bucketsLength);
    for (let k = 0; k < coarser.target.length; k++) {
      const at = start + (coarser.target[k] as number);
      into.buckets[at] = (into.buckets[at] as number) + (from.buckets[first + k] as number);
    }
  }
}
