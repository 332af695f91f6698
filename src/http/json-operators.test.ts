import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { analysisJson, explainJson } from './json-operators.ts';

test('explained operators have a name and children', () => {
  const leaf = { name: 'c', children: [] };
  const tree = { name: 'a', children: [leaf, { name: 'b', children: [leaf] }] };
  equal(
    explainJson(tree),
    '{"name":"a","children":[{"name":"c"},{"name":"b","children":[{"name":"c"}]}]}',
  );
});

test('analyzed operators have what they took, in the order and with the omissions of Thanos', () => {
  const nothing = { timeMs: 0, series: 0, samplesTotal: 0, samplesPeak: 0, children: [] };
  const scan = { timeMs: 12.3456, series: 3, samplesTotal: 24, samplesPeak: 12, children: [] };
  equal(
    analysisJson({
      name: 'a',
      timeMs: 1500,
      series: 2,
      samplesTotal: 24,
      samplesPeak: 16,
      children: [
        { name: 'b', ...scan },
        { name: 'c', ...nothing },
      ],
    }),
    '{"name":"a","executionTime":"1.5s","peakSamples":16,"totalSamples":24,"series":2,"children":[' +
      '{"name":"b","executionTime":"12.3456ms","peakSamples":12,"totalSamples":24,"series":3},' +
      '{"name":"c","executionTime":"0s"}]}',
  );
});

test('names of any text are JSON in ASCII', () => {
  const name = '{a="ü\\"\u{1F600}"}';
  const json = explainJson({ name, children: [] });
  equal(/^[ -~]*$/.test(json), true);
  deepEqual(JSON.parse(json), { name });
});
