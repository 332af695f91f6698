import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { tinyUlid } from '../../../test/support/tiny-block.ts';
import { META_VERSION } from '../block/meta.ts';
import type { BlockCompaction, BlockMeta } from '../block/meta.ts';
import { FROM_OUT_OF_ORDER } from './cut-block.ts';
import { mergedMeta } from './merged-meta.ts';
import { FROM_SELECTED_SERIES, FROM_STALE_SERIES } from './plan.ts';

function meta(
  n: number,
  [minTime, maxTime]: [number, number],
  compaction: BlockCompaction,
): BlockMeta {
  return {
    ulid: tinyUlid(n),
    minTime,
    maxTime,
    stats: {},
    compaction,
    version: META_VERSION,
    extra: {},
  };
}

test('merged meta: range, level, sources and parents', () => {
  const [one, two, three] = [1, 2, 3].map(tinyUlid) as [string, string, string];
  deepEqual(
    mergedMeta([
      meta(5, [20, 40], { level: 2, sources: [three, two], deletable: true }),
      meta(4, [10, 30], { level: 1, sources: [two, one], failed: true }),
      meta(6, [50, 60], { level: 1 }),
    ]),
    {
      mint: 10,
      maxt: 60,
      compaction: {
        level: 3,
        sources: [one, two, three],
        parents: [
          { ulid: tinyUlid(5), minTime: 20, maxTime: 40 },
          { ulid: tinyUlid(4), minTime: 10, maxTime: 30 },
          { ulid: tinyUlid(6), minTime: 50, maxTime: 60 },
        ],
      },
    },
  );
});

test('merged meta: hints', () => {
  const hints = (want: string[], ...of: string[][]): void => {
    const metas = of.map((list, i) => meta(i, [0, 1], { level: 1, hints: list }));
    deepEqual(mergedMeta(metas).compaction.hints ?? [], want);
  };
  hints([], [], []);
  hints([FROM_OUT_OF_ORDER], [FROM_OUT_OF_ORDER], [FROM_OUT_OF_ORDER]);
  hints([], [FROM_OUT_OF_ORDER], []);
  hints([FROM_STALE_SERIES], [FROM_STALE_SERIES], []);
  hints([FROM_SELECTED_SERIES], [], [FROM_SELECTED_SERIES]);
  hints(
    [FROM_OUT_OF_ORDER, FROM_SELECTED_SERIES, FROM_STALE_SERIES],
    [FROM_STALE_SERIES, FROM_OUT_OF_ORDER],
    [FROM_OUT_OF_ORDER, FROM_SELECTED_SERIES],
  );
});
