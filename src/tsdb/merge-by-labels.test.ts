import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../model/labels.ts';
import type { ChunkSet } from './index/chunk-set.ts';
import { MergeCache, mergeByLabels } from './merge-by-labels.ts';

/** A set of series without chunks: merges look at labels only. */
function setOf(names: readonly string[], identity?: object): ChunkSet & { asked: number } {
  const all = names.map((name) => Labels.fromObject({ a: name }));
  return {
    asked: 0,
    count: all.length,
    ...(identity === undefined ? {} : { identity }),
    labels(i) {
      this.asked++;
      return all[i] as Labels;
    },
    sampleEstimate: () => 0,
    appendFloats: () => undefined,
    appendHistograms: () => undefined,
    share: () => undefined,
  };
}

test('equal labels of several sets are one series, in label order', () => {
  const { starts, sources, numbers } = mergeByLabels([setOf(['a', 'c']), setOf(['a', 'b', 'c'])]);
  assert.deepEqual([...starts], [0, 2, 3, 5]);
  assert.deepEqual([...sources], [0, 1, 1, 0, 1]);
  assert.deepEqual([...numbers], [0, 0, 1, 1, 2]);
});

test('the merge of sets that are the same as before is kept', () => {
  const cache = new MergeCache();
  const [x, y] = [{}, {}];
  const first = cache.merge([setOf(['a'], x), setOf(['a', 'b'], y)]);
  const again = [setOf(['a'], x), setOf(['a', 'b'], y)];
  assert.equal(cache.merge(again), first);
  assert.deepEqual(
    again.map(({ asked }) => asked),
    [0, 0],
  );
  // In another order, fewer of them, or others: another merge.
  assert.deepEqual([...cache.merge([setOf(['a', 'b'], y), setOf(['a'], x)]).sources], [0, 1, 0]);
  assert.deepEqual([...cache.merge([setOf(['a'], x), setOf(['b'], {})]).starts], [0, 1, 2]);
  assert.deepEqual([...cache.merge([setOf(['a'], x)]).starts], [0, 1]);
  // One whose series nobody vouches for.
  const unknown = setOf(['a', 'b']);
  assert.notEqual(cache.merge([setOf(['a'], x), unknown]), first);
  assert.ok(unknown.asked > 0);
});

test('old merges are forgotten', () => {
  const cache = new MergeCache();
  const [x, y] = [{}, {}];
  const first = cache.merge([setOf(['a'], x), setOf(['a'], y)]);
  for (let i = 0; i < 16; i++) cache.merge([setOf(['a'], {}), setOf(['a'], {})]);
  assert.notEqual(cache.merge([setOf(['a'], x), setOf(['a'], y)]), first);
});
