/** A small block for tests of damage: what its index answers, and what of the index is behind checksums. */
import { buildBlock } from './block-builder.ts';
import type { TestSample, TestSeries } from './block-builder.ts';
import type { BlockHandle } from '../../src/tsdb/block/block-handle.ts';
import { BytesSource } from '../../src/tsdb/index/byte-source.ts';
import { IndexReader } from '../../src/tsdb/index/index-reader.ts';
import { LabelStore } from '../../src/tsdb/index/label-store.ts';
import { SeriesEntry } from '../../src/tsdb/index/series-entry.ts';

/** Sixteen series of two chunks each, in several segments. */
export function smallBlock(directory: string): BlockHandle {
  const made = Array.from({ length: 16 }, (_unused, n): TestSeries => {
    const samples = Array.from({ length: 3 + (n % 4) }, (_, i): TestSample => [
      n * 7 + i * 5,
      n + i,
    ]);
    return {
      labels: { __name__: n < 8 ? 'm' : 'o', n: `value-${n}`, ...(n % 3 === 0 && { z: 'ü' }) },
      chunks: [samples.slice(0, 2), samples.slice(2)],
    };
  });
  return buildBlock(directory, made, { segmentBytesMax: 350 });
}

/** Everything that can be asked of an index. */
export function readIndex(bytes: Uint8Array): unknown {
  const index = new IndexReader(new BytesSource(bytes), 'index', new LabelStore());
  const entry = new SeriesEntry();
  const series = Array.from(index.all(), (number) => {
    index.readSeries(number, entry);
    const { chunkCount, mint, maxt, refs } = entry;
    const chunks = [mint, maxt, refs].map((column) => [...column.subarray(0, chunkCount)]);
    return [number, index.labelsOf(number, entry).pairs, chunks];
  });
  const names = index.labelNames();
  const values = names.map((name) => index.labelValues(name));
  const lists = names.map((name, i) =>
    (values[i] ?? []).map((value) => [...index.postings(name, value)]),
  );
  const some = [...index.postingsWhere('n', (value) => value.endsWith('7'))];
  return { series, names, values, lists, some, symbols: [...index.symbols] };
}

/** Bytes of a file: start inclusive, end exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The parts of an index that have a checksum each, right behind them. */
export interface CheckedRanges {
  readonly symbols: ByteRange;
  readonly postingsTable: ByteRange;
  readonly contents: ByteRange;
  readonly series: readonly ByteRange[];
  readonly postings: readonly ByteRange[];
}

/** What checksums stand behind. */
export function checkedRanges(bytes: Buffer, version: number): CheckedRanges {
  const index = new IndexReader(new BytesSource(bytes), 'index', new LabelStore());
  const entry = new SeriesEntry();
  const series = Array.from(index.all(), (number) => {
    index.readSeries(number, entry);
    // Entries are short here: one byte of length.
    const start = index.seriesOffset(number) + 1;
    return { start, end: start + entry.byteLength };
  });
  const postings: ByteRange[] = [];
  const padding = version === 1 ? 0 : (4 - (index.toc.postings % 4)) % 4;
  const end = version === 1 ? index.toc.labelIndicesTable : index.toc.postingsTable;
  for (let at = index.toc.postings + padding; at < end;) {
    const range = section(bytes, at);
    postings.push(range);
    at = range.end + 4;
  }
  return {
    symbols: section(bytes, index.toc.symbols),
    postingsTable: section(bytes, index.toc.postingsTable),
    contents: { start: bytes.length - 52, end: bytes.length - 4 },
    series,
    postings,
  };
}

function section(bytes: Buffer, at: number): ByteRange {
  return { start: at + 4, end: at + 4 + bytes.readUInt32BE(at) };
}
