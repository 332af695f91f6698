import { deepEqual, equal, throws } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import type { IndexedSeries } from '../../../test/support/index-v1.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { Labels } from '../../model/labels.ts';
import { blockIndexStats, indexStats } from './block-index-stats.ts';

const RANGE = { mint: 100, maxt: 200 };
const SEGMENT = 2 ** 32;

function statsOf(...series: IndexedSeries[]): ReturnType<typeof indexStats> {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'index');
  writeFileSync(path, encodeIndexV1(series));
  return indexStats(path, RANGE);
}

function one(...chunks: readonly [mint: number, maxt: number][]): IndexedSeries {
  return {
    labels: new Labels(['a', 'b']),
    chunks: chunks.map(([mint, maxt], i) => ({ mint, maxt, ref: i * 100 })),
  };
}

test('index stats: chunks by their place among others and in the range of the block', () => {
  const zero = {
    outOfOrderSeries: 0,
    outOfOrderChunks: 0,
    duplicatedChunks: 0,
    outsideChunks: 0,
    completeOutsideChunks: 0,
    issue347OutsideChunks: 0,
  };
  const f = (chunks: [number, number][], want: Partial<ReturnType<typeof indexStats>>): void => {
    const stats = statsOf(one(...chunks));
    deepEqual(stats, {
      totalSeries: 1,
      totalChunks: chunks.length,
      outOfOrderLabels: 0,
      seriesMaxSize: 0,
      chunkMaxSize: chunks.length > 2 ? 100 : 0,
      ...zero,
      ...want,
    });
  };
  f(
    [
      [100, 110],
      [120, 200],
    ],
    {},
  );
  f(
    [
      [100, 110],
      [110, 200],
    ],
    { outOfOrderSeries: 1, outOfOrderChunks: 1 },
  );
  f(
    [
      [150, 160],
      [100, 110],
      [105, 120],
    ],
    { outOfOrderSeries: 1, outOfOrderChunks: 2 },
  );
  f(
    [
      [100, 110],
      [100, 110],
      [100, 110],
    ],
    { duplicatedChunks: 2 },
  );
  f(
    [
      [100, 110],
      [100, 111],
    ],
    { outOfOrderSeries: 1, outOfOrderChunks: 1 },
  );
  f([[90, 110]], { outsideChunks: 1 });
  f([[90, 99]], { outsideChunks: 1, completeOutsideChunks: 1 });
  f([[201, 210]], { outsideChunks: 1, completeOutsideChunks: 1 });
  f([[200, 210]], { outsideChunks: 1, issue347OutsideChunks: 1 });
  f([[200, 200]], {});
});

test('index stats: sizes are distances, within a segment, and not of the last two chunks', () => {
  const at = (value: string, refs: number[]): IndexedSeries => ({
    labels: new Labels(['a', value]),
    chunks: refs.map((ref, i) => ({ mint: 100 + i, maxt: 100 + i, ref })),
  });
  const f = (refs: number[], want: number): void =>
    equal(statsOf(at('b', refs)).chunkMaxSize, want);
  f([8], 0);
  f([8, 1000], 0);
  f([8, 100, 1000], 92);
  f([8, 100, 150, 5000], 92);
  f([SEGMENT - 10, SEGMENT + 8, SEGMENT + 20, SEGMENT + 21], 12);
  equal(statsOf(at('b', [8])).seriesMaxSize, 0);
  using directory = temporaryDirectory();
  const samples = (t: number): [number, number][] => [[t, 1]];
  const { directory: block } = buildBlock(directory.path, [
    { labels: { a: '1' }, chunks: [1, 2, 3, 4, 5, 6, 7, 8, 9].map(samples) },
    { labels: { a: '2' }, chunks: [samples(1)] },
    { labels: { a: '3' }, chunks: [samples(1)] },
  ]);
  const numbers = readBlock(block).series.map(({ number }) => number);
  const [x = 0, y = 0, z = 0] = numbers;
  equal(blockIndexStats(block).seriesMaxSize, Math.max(y - x, z - y) * 16);
});

test('index stats: labels in the wrong order are counted', () => {
  const labels = (...pairs: string[]): IndexedSeries => ({
    ...one([100, 100]),
    labels: new Labels(pairs),
  });
  equal(statsOf(labels('a', '1', 'b', '1', 'c', '1')).outOfOrderLabels, 0);
  equal(statsOf(labels('c', '1', 'b', '1', 'a', '1')).outOfOrderLabels, 2);
});

test('index stats: an index that nothing can be done with is an error', () => {
  const series = (value: string): IndexedSeries => ({
    ...one([100, 100]),
    labels: new Labels(['a', value]),
  });
  throws(() => statsOf(series('b'), series('b')), /series is not behind the one before it/);
  throws(() => statsOf(series('c'), series('b')), /series is not behind the one before it/);
  throws(() => statsOf(one()), /series has no chunks \(.*index, offset \d+\)/);
  throws(() => statsOf({ ...one([1, 1]), labels: new Labels([]) }), /series has no labels/);
});
