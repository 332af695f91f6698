import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../model/labels.ts';
import { LabelStore } from './label-store.ts';

test('label store: label sets that are used stay, others go, over all caches together', () => {
  const store = new LabelStore({ labels: 100 });
  const [a, b] = [store.cache(), store.cache()];
  const used = new Labels(['used', '1']);
  a.set(7, used);
  const once = new Labels(['once', '1']);
  b.set(8, once);
  equal(b.get(8), once);
  for (let i = 0; i < 1000; i++) {
    b.set(1000 + i, new Labels([]));
    equal(a.get(7), used);
  }
  equal(b.get(8), undefined);
  let kept = 0;
  for (let i = 0; i < 1000; i++) if (b.get(1000 + i) !== undefined) kept++;
  ok(kept > 0 && kept <= 100, `${kept} kept`);
});

test('label store: a cache that nobody looked at for long has forgotten all', () => {
  const store = new LabelStore({ labels: 10 });
  const [a, b] = [store.cache(), store.cache()];
  a.set(1, new Labels([]));
  for (let i = 0; i < 100; i++) b.set(i, new Labels([]));
  equal(a.get(1), undefined);
});

test('label store: texts are one string until there are too many', () => {
  const store = new LabelStore({ texts: 3 });
  const texts = ['aa', 'bb', 'cc', 'dd', 'aa'];
  for (const text of texts) equal(store.intern(text), text);
});
