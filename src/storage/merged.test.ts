import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import { MergedQueryable } from './merged.ts';
import { FloatColumns, isStaleAt } from './storage.ts';
import type { Queryable, SeriesSet } from './storage.ts';

type Samples = [number, number][];

function storage(...series: [Record<string, string>, Samples][]): Queryable {
  const memory = new MemoryStorage();
  for (const [labels, samples] of series) {
    const t = Float64Array.from(samples, ([time]) => time);
    memory.append(
      Labels.fromObject(labels),
      t,
      Float64Array.from(samples, ([, value]) => value),
    );
  }
  return memory;
}

function read(set: SeriesSet, labelled = true): [string, Samples][] {
  const columns = new FloatColumns();
  return Array.from({ length: set.count }, (_, i) => {
    set.readFloats(i, columns, false);
    const samples = Array.from({ length: columns.length }, (__, k): [number, number] => [
      columns.t[k] as number,
      columns.v[k] as number,
    ]);
    return [labelled ? set.labels(i).toString() : '', samples];
  });
}

const everything = { matchers: [new Matcher('=~', '__name__', '.+')], mint: 0, maxt: 1000 };
const both = { mint: 0, maxt: 1000 };

test('merged: series of all sources in label order, replica labels gone, equal ones chained', async () => {
  const merged = new MergedQueryable(
    [
      {
        queryable: storage(
          [
            { __name__: 'm', a: '2', replica: 'x' },
            [
              [1, 1],
              [5, 5],
            ],
          ],
          [{ __name__: 'm', a: '1' }, [[1, 7]]],
        ),
        externalLabels: Labels.fromObject({ cluster: 'eu', replica: '0' }),
      },
      {
        queryable: storage([
          { __name__: 'm', a: '2' },
          [
            [2, 2],
            [5, 50],
            [9, 9],
          ],
        ]),
        externalLabels: Labels.fromObject({ cluster: 'eu', replica: '1' }),
      },
    ],
    ['replica'],
  );
  const want: [string, Samples][] = [
    ['m{a="1", cluster="eu"}', [[1, 7]]],
    [
      'm{a="2", cluster="eu"}',
      [
        [1, 1],
        [2, 2],
        [5, 5],
        [9, 9],
      ],
    ],
  ];
  const set = await merged.select(everything);
  deepEqual(read(set), want);
  equal(set.sampleEstimate(1), 5);
  const shared = structuredClone(set.share(1, 2));
  deepEqual(read(merged.openShared(shared), false), [['', want[1]?.[1]]]);
  deepEqual((await merged.labelNames([], both)).texts, ['__name__', 'a', 'cluster']);
  deepEqual((await merged.labelValues('cluster', [], both)).texts, ['eu']);
  deepEqual((await merged.labelValues('replica', [], both)).texts, []);
  deepEqual((await merged.labelValues('a', [], both)).texts, ['1', '2']);
});

test('merged: matchers on external labels choose sources', async () => {
  const source = (cluster: string, name: string) => ({
    queryable: storage([{ __name__: name }, [[1, 1]]]),
    externalLabels: Labels.fromObject({ cluster }),
  });
  const merged = new MergedQueryable([source('eu', 'a'), source('us', 'b')], []);
  const f = async (matchers: Matcher[], want: string[]): Promise<void> => {
    const set = await merged.select({
      matchers: [...everything.matchers, ...matchers],
      mint: 0,
      maxt: 9,
    });
    deepEqual(
      read(set).map(([labels]) => labels),
      want,
    );
  };
  await f([], ['a{cluster="eu"}', 'b{cluster="us"}']);
  await f([new Matcher('=', 'cluster', 'eu')], ['a{cluster="eu"}']);
  await f([new Matcher('!~', 'cluster', 'e.*')], ['b{cluster="us"}']);
  await f([new Matcher('=', 'cluster', '')], []);
  const us = [[new Matcher('=', 'cluster', 'us')]];
  deepEqual((await merged.labelValues('__name__', us, both)).texts, ['b']);
  deepEqual((await merged.labelValues('cluster', us, both)).texts, ['us']);
  deepEqual((await merged.labelNames([[new Matcher('=', 'cluster', 'none')]], both)).texts, []);
});

test('merged: stale markers keep their bits through a chain', async () => {
  const memory = new MemoryStorage();
  const values = new Float64Array(2);
  new Uint32Array(values.buffer).set([2, 0x7ff00000], 2);
  const replica = (name: string) => Labels.fromObject({ __name__: 'm', replica: name });
  memory.append(replica('a'), Float64Array.of(1, 2), values);
  memory.append(replica('b'), Float64Array.of(3), Float64Array.of(3));
  const merged = new MergedQueryable(
    [{ queryable: memory, externalLabels: new Labels([]) }],
    ['replica'],
  );
  const set = await merged.select(everything);
  const columns = new FloatColumns();
  equal(set.count, 1);
  set.readFloats(0, columns, false);
  const halves = new Uint32Array(columns.v.buffer, columns.v.byteOffset, columns.length * 2);
  deepEqual(
    [0, 1, 2].map((i) => isStaleAt(halves, i)),
    [false, true, false],
  );
  set.readFloats(0, columns, true);
  equal(columns.length, 2);
});
