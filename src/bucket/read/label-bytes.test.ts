import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { EMPTY_LABELS, Labels, compareLabels } from '../../model/labels.ts';
import { field } from '../../../test/support/protobuf.ts';
import { randomLabelSets } from '../../../test/support/stored-block.ts';
import { compareLabelBytes, eachLabel, encodeLabels, labelValue } from './label-bytes.ts';

/** Series.labels by proto/thanos/types.proto. */
function plainLabels(labels: Labels): Buffer {
  return Buffer.concat(
    [...labels].map(([name, value]) => field(1, field(1, name), field(2, value))),
  );
}

/** Compares two sets that lie somewhere in bytes. */
function compare(a: Labels, b: Labels): number {
  const noise = Buffer.from('0a0a0a', 'hex');
  const x = Buffer.concat([noise, encodeLabels(a), noise]);
  const y = Buffer.concat([encodeLabels(b), noise]);
  return compareLabelBytes(x, 3, x.length - 3, y, 0, y.length - 3);
}

const LENGTHS = [1, 2, 126, 127, 128, 129, 16_383, 16_384];
/** Texts of lengths that take one, two and three bytes to say, alike but for their ends. */
const LONG = LENGTHS.flatMap((length) => [
  'x'.repeat(length),
  `${'x'.repeat(length - 1)}y`,
  `${'x'.repeat(length - 1)}!`,
]);

test('bytes are those of the message', () => {
  const f = (labels: Labels): void => {
    const bytes = encodeLabels(labels);
    deepEqual(bytes, plainLabels(labels));
    const found: string[] = [];
    eachLabel({ bytes, from: 0, to: bytes.length }, (a, b, c, d) =>
      found.push(bytes.toString('utf8', a, b), bytes.toString('utf8', c, d)),
    );
    deepEqual(found, labels.pairs);
  };
  f(EMPTY_LABELS);
  for (const text of LONG) {
    f(Labels.fromObject({ [text]: 'v' }));
    f(Labels.fromObject({ n: text, [text]: text }));
  }
  for (const labels of randomLabelSets(new Random(1), 200)) f(labels);
});

test('a value by its name', () => {
  const labels = Labels.fromObject({
    a: '1',
    aa: '2',
    日本: 'ü',
    ['x'.repeat(130)]: 'y'.repeat(200),
  });
  const bytes = Buffer.concat([Buffer.from('junk'), encodeLabels(labels), Buffer.from('junk')]);
  const all = { bytes, from: 4, to: bytes.length - 4 };
  for (const name of ['a', 'aa', 'aaa', '', 'b', '日本', '日', 'x'.repeat(130), 'x'.repeat(129)]) {
    equal(labelValue(all, name), labels.get(name), name);
  }
});

test('order is that of label sets', async (t) => {
  const f = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): void => {
    const [x, y] = [Labels.fromObject(a), Labels.fromObject(b)];
    const want = Math.sign(compareLabels(x, y));
    equal(Math.sign(compare(x, y)), want, `${x.toString()} and ${y.toString()}`.slice(0, 400));
    equal(Math.sign(compare(y, x)), want === 0 ? 0 : -want);
  };
  await t.test('cases', () => {
    f({}, {});
    f({}, { a: '1' });
    f({ a: '1' }, { a: '1' });
    f({ a: '1' }, { a: '1', b: '2' });
    f({ a: '1' }, { a: '10' });
    f({ a: '10' }, { a: '2' });
    f({ a: 'x' }, { aa: 'x' });
    f({ a: 'x', b: 'y' }, { a: 'x', ba: '' });
    f({ a: '\u{ffff}' }, { a: '\u{1f600}' });
    f({ '\u{ffff}': '1' }, { '\u{1f600}': '1' });
    f({ a: 'b\u{12}' }, { a: 'b' });
  });
  await t.test('lengths on both sides of what a byte can say', () => {
    for (const one of LONG) {
      for (const other of LONG) {
        f({ a: one }, { a: other });
        f({ [one]: '1' }, { [other]: '1' });
        f({ a: one, b: '1' }, { a: other });
        f({ a: 'same', b: one }, { a: 'same', b: other, c: '2' });
      }
    }
  });
  for (const seed of [1, 2, 3]) {
    await t.test(`random sets, seed ${seed}`, () => {
      const sets = randomLabelSets(new Random(seed), 60);
      for (const a of sets) for (const b of sets) f(a.toObject(), b.toObject());
    });
  }
});
