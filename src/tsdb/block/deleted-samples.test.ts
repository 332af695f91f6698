/** What tombstones say is deleted is not read: histograms, chunks that overlap, and sets of another thread, too. */
import { deepEqual, equal } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSample } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { encodePlain } from '../../../test/support/plain-histogram.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { PageCache } from '../chunks/page-cache.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import type { BlockChunk } from './block-writer.ts';
import { BlockReader } from './block-reader.ts';
import type { BlockHandle } from './block-handle.ts';
import { writeTombstones } from './tombstones.ts';

const EVER = { matchers: [], mint: -1e15, maxt: 1e15 };

function open(handle: BlockHandle): BlockReader {
  return new BlockReader(handle, new PageCache(PageCache.allocate(16 * 65536)));
}

function floatTimes(set: ChunkSet, i: number): number[] {
  const scratch = new XorScratch();
  set.appendFloats(i, scratch, false);
  return [...scratch.t.subarray(0, scratch.length)];
}

function histogramTimes(set: ChunkSet, i: number): number[] {
  const columns = new HistogramColumns();
  set.appendHistograms(i, new XorScratch(), columns);
  return [...columns.t.subarray(0, columns.length)];
}

function histogramChunk(encoding: number, times: readonly number[]): BlockChunk {
  const samples = times.map((t, i) => {
    return { t, positiveSpans: [[0, 1] as const], positive: [i + 1], sum: i };
  });
  const [data = new Uint8Array(0)] = encodePlain(encoding, samples);
  return { mint: times[0] ?? 0, maxt: times.at(-1) ?? 0, encoding, count: times.length, data };
}

test('deleted samples: of histograms, integer and float, and of floats of one series', () => {
  using directory = temporaryDirectory();
  const floats: TestSample[] = [60, 70, 80].map((t) => [t, t]);
  const handle = buildBlock(directory.path, [
    {
      labels: { a: '1' },
      chunks: [
        histogramChunk(2, [0, 10, 20]),
        histogramChunk(3, [30, 40, 50]),
        floats,
        histogramChunk(5, [90, 100]),
      ],
    },
  ]);
  const [series] = readBlock(handle.directory).series;
  const deleted = [
    { mint: 5, maxt: 35 },
    { mint: 50, maxt: 65 },
    { mint: 95, maxt: 1000 },
  ];
  writeTombstones(systemFiles, handle.directory, new Map([[series?.number ?? 0, deleted]]));
  const reader = open(handle);
  const set = reader.select(EVER);
  equal(set.count, 1);
  deepEqual(histogramTimes(set, 0), [0, 40, 90]);
  deepEqual(floatTimes(set, 0), [70, 80]);
  const other = open(handle);
  const shared = other.openShared(set.share([0]));
  deepEqual(
    [histogramTimes(shared, 0), floatTimes(shared, 0)],
    [
      [0, 40, 90],
      [70, 80],
    ],
  );
  reader.close();
  other.close();
});

test('deleted samples: of chunks that overlap', () => {
  using directory = temporaryDirectory();
  const first = xorChunk([0, 20, 40].map((t): TestSample => [t, 1]));
  const second = xorChunk([10, 20, 30, 50].map((t): TestSample => [t, 2]));
  // The writer refuses such chunks, so the second gets its times afterwards.
  const handle = buildBlock(directory.path, [
    { labels: { a: '1' }, chunks: [first, { ...second, mint: 45 }] },
  ]);
  const indexed = readBlock(handle.directory).series.map(({ labels, chunks }) => {
    return { labels, chunks: chunks.map(({ ref, maxt }, i) => ({ ref, mint: i * 10, maxt })) };
  });
  writeFileSync(join(handle.directory, 'index'), encodeIndexV1(indexed));
  const [series] = readBlock(handle.directory).series;
  const deleted = [{ mint: 15, maxt: 30 }];
  writeTombstones(systemFiles, handle.directory, new Map([[series?.number ?? 0, deleted]]));
  const reader = open(handle);
  deepEqual(floatTimes(reader.select(EVER), 0), [0, 10, 40, 50]);
  reader.close();
});
