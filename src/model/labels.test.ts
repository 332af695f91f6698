import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_LABELS, Labels, compareLabels, equalLabels } from './labels.ts';

test('labels: sorted by UTF-8 bytes, empty values gone, a later name wins', () => {
  const f = (entries: [string, string][], want: string[]): void =>
    deepEqual([...Labels.fromPairs(entries).pairs], want);
  f([], []);
  f(
    [
      ['b', '1'],
      ['a', '2'],
    ],
    ['a', '2', 'b', '1'],
  );
  f(
    [
      ['a', ''],
      ['b', '1'],
    ],
    ['b', '1'],
  );
  f(
    [
      ['a', '1'],
      ['a', '2'],
    ],
    ['a', '2'],
  );
  f(
    [
      ['😀', '1'],
      ['～', '2'],
    ],
    ['～', '2', '😀', '1'],
  );
});

test('labels: get, keep, drop, with', () => {
  const labels = Labels.fromObject({ __name__: 'm', a: '1', b: '2' });
  equal(labels.get('a'), '1');
  equal(labels.get('c'), '');
  ok(labels.has('b') && !labels.has('c'));
  equal(labels.size, 3);
  deepEqual(labels.keep(new Set(['a', 'c'])).toObject(), { a: '1' });
  deepEqual(labels.drop(new Set(['a'])).toObject(), { __name__: 'm', b: '2' });
  deepEqual(labels.dropMetricName().toObject(), { a: '1', b: '2' });
  deepEqual(labels.with('a', '').toObject(), { __name__: 'm', b: '2' });
  equal(labels.drop(new Set(['x'])), labels);
});

test('labels: as PromQL writes them', () => {
  const f = (object: Record<string, string>, want: string): void =>
    equal(Labels.fromObject(object).toString(), want);
  f({}, '{}');
  f({ __name__: 'm' }, 'm');
  f({ __name__: 'm', a: 'x"y' }, 'm{a="x\\"y"}');
  f({ a: '1', b: '2' }, '{a="1", b="2"}');
});

test('labels: keys are equal exactly for equal sets, and order is that of UTF-8', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 }).filter((s) => s.isWellFormed());
  const labels = fc
    .array(fc.tuple(text, text), { maxLength: 4 })
    .map((pairs) => Labels.fromPairs(pairs));
  const bytes = (set: Labels): Buffer[] => set.pairs.map((part) => Buffer.from(part));
  const byBytes = (a: Labels, b: Labels): number => {
    const [x, y] = [bytes(a), bytes(b)];
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const d = Buffer.compare(x[i] as Buffer, y[i] as Buffer);
      if (d !== 0) return d;
    }
    return Math.sign(x.length - y.length);
  };
  fc.assert(
    fc.property(labels, labels, (a, b) => {
      equal(Math.sign(compareLabels(a, b)), byBytes(a, b));
      equal(equalLabels(a, b), byBytes(a, b) === 0);
      equal(a.key === b.key, equalLabels(a, b));
    }),
    { numRuns: 2000 },
  );
  notEqual(Labels.fromObject({ a: 'bc' }).key, Labels.fromObject({ ab: 'c' }).key);
  // U+FFFF, U+E000 and the halves of U+103FF are text like any other.
  for (const odd of ['\uffff', '\ue000', '\u{103ff}', '\0']) {
    const one = Labels.fromObject({ a: `b${odd}c${odd}d` });
    notEqual(one.key, Labels.fromObject({ a: 'b', c: 'd' }).key);
  }
  equal(EMPTY_LABELS.size, 0);
});
