import assert from 'node:assert/strict';
import test from 'node:test';
import { Labels } from '../model/labels.ts';
import { NO_HISTOGRAMS } from '../model/float-histogram/matrix-histograms.ts';
import { floatText, JsonPieces } from './json-pieces.ts';
import { encodeLabelSets, encodeResult, encodeStrings } from './json-result.ts';
import type { ResultData, ResultMembers } from './json-result.ts';

const text = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString('utf8');

test('floats, as Prometheus marshals them', () => {
  const f = (value: number, want: string) => {
    const out = new JsonPieces();
    out.float(value);
    assert.equal(text(out.finish()), `"${want}"`);
  };
  f(0, '0');
  f(-0, '-0');
  f(1, '1');
  f(-1, '-1');
  f(10, '10');
  f(1234567890, '1234567890');
  f(2147483647, '2147483647');
  f(2147483648, '2147483648');
  f(-9007199254740991, '-9007199254740991');
  f(9007199254740992, '9007199254740992');
  f(100000000000000000000, '100000000000000000000');
  f(1e21, '1e+21');
  f(1e300, '1e+300');
  f(1.5, '1.5');
  f(0.1, '0.1');
  f(0.000001, '0.000001');
  f(0.0000001, '1e-07');
  f(-1.25e-9, '-1.25e-09');
  f(1e-310, '1e-310');
  f(5e-324, '5e-324');
  f(NaN, 'NaN');
  f(Infinity, '+Inf');
  f(-Infinity, '-Inf');
  assert.equal(floatText(1e-7), '1e-07');
});

test('timestamps', () => {
  const f = (ms: number, want: string) => {
    const out = new JsonPieces();
    out.timestamp(ms);
    assert.equal(text(out.finish()), want);
  };
  f(0, '0');
  f(1435781451781, '1435781451.781');
  f(1435781451780, '1435781451.780');
  f(1435781451005, '1435781451.005');
  f(1435781451050, '1435781451.050');
  f(1435781451000, '1435781451');
  f(-1, '-0.001');
  f(-1500, '-1.500');
  f(9007199254740991, '9007199254740.991');
});

/** A matrix of [labels, samples] pairs. */
function matrix(...series: [Record<string, string>, [number, number][]][]): ResultData {
  const samples = series.flatMap(([, list]) => list);
  const offsets = [0];
  for (const [, list] of series) offsets.push((offsets.at(-1) ?? 0) + list.length);
  return {
    type: 'matrix',
    labels: series.map(([labels]) => Labels.fromObject(labels)),
    offsets: Uint32Array.from(offsets),
    t: Float64Array.from(samples, ([t]) => t),
    v: Float64Array.from(samples, ([, v]) => v),
    histograms: NO_HISTOGRAMS,
  };
}

test('results of each type', () => {
  const f = (result: ResultData, want: string, limit?: number) =>
    assert.equal(text(encodeResult(result, limit)), want);
  const t = 1795241494156;
  // As golden query-instant-scalar and query-instant-string have them.
  f({ type: 'scalar', t, v: 1 }, '{"resultType":"scalar","result":[1795241494.156,"1"]}');
  f({ type: 'string', t, v: 'a' }, '{"resultType":"string","result":[1795241494.156,"a"]}');
  f(matrix(), '{"resultType":"matrix","result":[]}');
  const none: ResultData = {
    type: 'vector',
    labels: [],
    t,
    v: new Float64Array(),
    histograms: undefined,
  };
  f(none, '{"resultType":"vector","result":[]}');
  const up = Labels.fromObject({ __name__: 'up', job: 'a "b"\n' });
  const vector: ResultData = {
    type: 'vector',
    labels: [up, Labels.fromObject({})],
    t: 2500,
    v: Float64Array.of(1, NaN),
    histograms: undefined,
  };
  const first = String.raw`{"metric":{"__name__":"up","job":"a \"b\"\n"},"value":[2.500,"1"]}`;
  f(vector, `{"resultType":"vector","result":[${first},{"metric":{},"value":[2.500,"NaN"]}]}`);
  f(vector, `{"resultType":"vector","result":[${first}]}`, 1);
  const range = matrix(
    [
      { a: 'ü' },
      [
        [1000, 0.5],
        [2500, -0],
      ],
    ],
    [
      { a: 'v' },
      [
        [1000, 0.5],
        [2600, 7],
      ],
    ],
    [{}, [[2500, Infinity]]],
  );
  const one = '{"metric":{"a":"ü"},"values":[[1,"0.5"],[2.500,"-0"]]}';
  const two = '{"metric":{"a":"v"},"values":[[1,"0.5"],[2.600,"7"]]}';
  const three = '{"metric":{},"values":[[2.500,"+Inf"]]}';
  f(range, `{"resultType":"matrix","result":[${one},${two},${three}]}`);
  f(range, `{"resultType":"matrix","result":[${one},${two}]}`, 2);
});

test('members beside the result', () => {
  const result = matrix();
  const f = (members: ResultMembers, want: string) =>
    assert.equal(text(encodeResult(result, Infinity, members)), want);
  const start = '{"resultType":"matrix","result":[]';
  f({}, `${start}}`);
  f({ stats: '{"a":1}' }, `${start},"stats":{"a":1}}`);
  // In Thanos' order.
  f({ analysis: '{}', stats: '{"a":1}' }, `${start},"stats":{"a":1},"analysis":{}}`);
});

test('lists', () => {
  assert.equal(text(encodeStrings([])), '[]');
  assert.equal(text(encodeStrings(['a', 'b"'])), '["a","b\\""]');
  assert.equal(text(encodeLabelSets([])), '[]');
  assert.equal(
    text(encodeLabelSets([Labels.fromObject({ a: '1' }), Labels.fromObject({})])),
    '[{"a":"1"},{}]',
  );
});

test('large results come in bounded pieces that parse as one', () => {
  // More steps than are cached, timestamps that differ from series to series, and labels larger than a piece.
  const steps = 12_000;
  const want = Array.from(
    { length: 20 },
    (_series, k): [Record<string, string>, [number, number][]] => [
      { k: String(k), long: 'x'.repeat(1 + k * 10_000) },
      Array.from({ length: steps - k }, (_step, i) => [
        i * 15_000 + (i % 7) + (k % 2),
        (i * 7919 * (k + 1)) / (1 + (i % 3)),
      ]),
    ],
  );
  const pieces = encodeResult(matrix(...want));
  for (const piece of pieces) assert.ok(piece.length <= 200_000 && piece.length > 0);
  assert.ok(pieces.length > 20);
  const parsed = JSON.parse(text(pieces)) as {
    result: { metric: Record<string, string>; values: [number, string][] }[];
  };
  const got = parsed.result.map(({ metric, values }) => [
    metric,
    values.map(([seconds, value]) => [Math.round(seconds * 1000), Number(value)]),
  ]);
  assert.deepEqual(got, want);
});
