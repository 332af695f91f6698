import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { LabelOrder } from './label-order.ts';

test('label order: whatever is selected while series appear comes out by labels', () => {
  const random = new Random(11);
  const labels: Labels[] = [];
  const order = new LabelOrder((series) => labels[series] as Labels);
  const taken = new Set<string>();
  for (let round = 0; round < 40; round++) {
    // Some rounds bring many series, some a few, some none.
    const more = [3000, 0, 5, 200][round % 4] as number;
    while (labels.length < (round + 1) * 100 + more) {
      const name = String(random.u32());
      if (taken.has(name)) continue;
      taken.add(name);
      labels.push(Labels.fromObject({ __name__: `m${random.below(3)}`, name }));
    }
    for (const share of [1, 0.5, 0.05]) {
      const picked = Uint32Array.from(labels.keys()).filter(() => random.float() < share);
      const want = [...picked].sort((a, b) =>
        compareLabels(labels[a] as Labels, labels[b] as Labels),
      );
      deepEqual([...order.sort(picked, labels.length)], want);
    }
  }
});
