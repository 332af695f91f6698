import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { thanosMeta } from '../../test/support/fetch-fixture.ts';
import { tinyUlid } from '../../test/support/tiny-block.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { ulidTime } from '../model/ulid.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { filterTooFresh } from './filter-consistency.ts';
import { filterDuplicates } from './filter-duplicates.ts';
import { removeReplicaLabels } from './filter-replica-labels.ts';
import { formatUploadTime, readThanos } from './meta.ts';

const id = (n: number): string => tinyUlid(n);

function mapOf(metas: readonly BlockMeta[]): Map<string, BlockMeta> {
  return new Map(metas.map((meta) => [meta.ulid, meta]));
}

// Cases by the rules of thanos pkg/block/fetcher.go, ConsistencyDelayMetaFilter.
test('consistency delay: upload time, ULID time, and who is exempt', () => {
  const ulid = id(1000);
  const made = ulidTime(ulid);
  const f = (age: number, want: boolean, thanos: Record<string, string> = {}): void => {
    const metas = mapOf([thanosMeta({ ulid }, thanos)]);
    const left = filterTooFresh(metas, { delayMs: 1000, now: made + age });
    deepEqual(left.has(ulid), want, `${age} ${JSON.stringify(thanos)}`);
  };
  f(999, false);
  f(1000, true);
  f(0, false);
  // A ULID from the future is unsigned arithmetic in Go.
  f(-1, true);
  const upload = { upload_time: formatUploadTime(made + 5000) };
  f(1000, false, upload);
  f(5999, false, upload);
  f(6000, true, upload);
  f(0, false, upload);
  f(999, false, { upload_time: '0001-01-01T00:00:00Z' });
  for (const source of ['compactor', 'compactor.repair', 'bucket.repair']) f(0, true, { source });
  for (const source of ['', 'sidecar', 'receive', 'ruler', 'bucket.rewrite', 'bucket.upload']) {
    f(0, false, { source });
  }
});

// Cases by the algorithm of thanos pkg/block/fetcher.go, DefaultDeduplicateFilter.
test('duplicates: blocks whose sources another has', () => {
  const f = (
    name: string,
    blocks: readonly (readonly [n: number, sources: readonly number[], thanos?: object])[],
    want: readonly number[],
  ): void => {
    const metas = blocks.map(([n, sources, thanos]) =>
      thanosMeta({ ulid: id(n), sources: sources.map(id) }, thanos),
    );
    for (const order of [metas, metas.toReversed()]) {
      const { metas: left, duplicates } = filterDuplicates(mapOf(order));
      deepEqual([...left.keys()].toSorted(compareUtf8), want.map(id), name);
      deepEqual(left.size + duplicates.length, metas.length, name);
    }
  };
  f('none', [], []);
  f(
    'strangers',
    [
      [1, [1]],
      [2, [2]],
    ],
    [1, 2],
  );
  f(
    'a compacted block and its sources',
    [
      [1, [1]],
      [2, [2]],
      [3, [3]],
      [4, [1, 2, 3]],
    ],
    [4],
  );
  f(
    'a source that was not compacted',
    [
      [1, [1]],
      [2, [2]],
      [4, [1, 3]],
    ],
    [2, 4],
  );
  f(
    'overlap without inclusion',
    [
      [4, [1, 2]],
      [5, [2, 3]],
    ],
    [4, 5],
  );
  f(
    'two levels',
    [
      [1, [1]],
      [4, [1, 2]],
      [5, [1, 2, 3]],
    ],
    [5],
  );
  f(
    'equal sources: the smallest ULID',
    [
      [9, [1, 2]],
      [7, [2, 1]],
      [8, [1, 2]],
    ],
    [7],
  );
  f(
    'sources spread over two blocks stay',
    [
      [3, [1, 4]],
      [4, [1, 2]],
      [5, [3, 4]],
    ],
    [3, 4, 5],
  );
  f(
    'other labels',
    [
      [1, [1]],
      [4, [1, 2], { labels: { cluster: 'us' } }],
    ],
    [1, 4],
  );
  f(
    'another resolution',
    [
      [1, [1]],
      [4, [1, 2], { downsample: { resolution: 300_000 } }],
    ],
    [1, 4],
  );
  f(
    'no sources: covered by anything',
    [
      [1, []],
      [2, [2]],
    ],
    [2],
  );
  f(
    'no sources anywhere: the smallest ULID',
    [
      [3, []],
      [2, []],
    ],
    [2],
  );
  f(
    'a source named twice',
    [
      [1, [1, 1, 1]],
      [2, [1, 2]],
    ],
    [1, 2],
  );
});

test('duplicates: as many as Go finds among random blocks', () => {
  // The same by the plain quadratic way.
  let seed = 7;
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * n);
  };
  for (let round = 0; round < 200; round++) {
    const metas = Array.from({ length: 12 }, (_, i) =>
      thanosMeta({
        ulid: id(i + 1),
        sources: Array.from({ length: random(4) }, () => id(random(5))),
      }),
    );
    const sources = ({ compaction }: BlockMeta) => compaction.sources ?? [];
    const sorted = metas.toSorted(
      (a, b) => sources(b).length - sources(a).length || (a.ulid < b.ulid ? -1 : 1),
    );
    const staying: BlockMeta[] = [];
    for (const child of sorted) {
      const isCovered = staying.some((parent) =>
        sources(child).every((source) => sources(parent).includes(source)),
      );
      if (!isCovered) staying.push(child);
    }
    const want = staying.map(({ ulid }) => ulid).toSorted(compareUtf8);
    deepEqual(
      [...filterDuplicates(mapOf(metas)).metas.keys()].toSorted(compareUtf8),
      want,
      `round ${round}`,
    );
  }
});

test('replica labels: taken off, and one made where none is left', () => {
  const metas = mapOf([
    thanosMeta({ ulid: id(1) }, { labels: { cluster: 'eu', replica: 'a', other: 'x' } }),
    thanosMeta({ ulid: id(2) }, { labels: { replica: 'b', other: 'x' } }),
    thanosMeta({ ulid: id(3) }, { labels: {} }),
  ]);
  const f = (names: string[], want: object[], removed: [string, number][]): void => {
    const result = removeReplicaLabels(metas, names);
    const labels = [...result.metas].map(([, meta]) => readThanos(meta, '').labels);
    deepEqual([labels, [...result.removed]], [want, removed]);
  };
  const before = [...metas.values()].map((meta) => readThanos(meta, '').labels);
  f([], before, []);
  f(
    ['replica', 'other', 'replica'],
    [{ cluster: 'eu' }, { replica: 'deduped' }, { replica: 'deduped' }],
    [
      ['replica', 2],
      ['other', 2],
    ],
  );
  f(['nowhere'], [before[0] ?? {}, before[1] ?? {}, { nowhere: 'deduped' }], []);
  // What was given is as it was.
  deepEqual(
    [...metas.values()].map((meta) => readThanos(meta, '').labels),
    before,
  );
});
