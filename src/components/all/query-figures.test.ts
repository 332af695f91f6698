import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../lib/errors.ts';
import { evaluationError, statisticsOf } from './query-figures.ts';

const stats = {
  samplesTotal: 12,
  samplesPeak: 5,
  elapsedMs: 10,
  prepareMs: 2.5,
  evalMs: 7,
} as const;
const instant = { query: 'x', timeoutMs: 1, timeMs: 1500 };
const range = { query: 'x', timeoutMs: 1, startMs: 1000, endMs: 3000, stepMs: 1000 };

test("statistics: seconds, with Prometheus' members in its order", () => {
  const options = { queueMs: 4, perStep: false };
  equal(
    JSON.stringify(statisticsOf({ type: 'matrix', stats }, range, options)),
    '{"timings":{"evalTotalTime":0.01,"resultSortTime":0.0005,"queryPreparationTime":0.0025,"innerEvalTime":0.007,' +
      '"execQueueTime":0.004,"execTotalTime":0.014},"samples":{"totalQueryableSamples":12,"peakSamples":5}}',
  );
  // Only matrices are sorted.
  equal(statisticsOf({ type: 'vector', stats }, instant, options).timings.resultSortTime, 0);
});

test('statistics: per step where there is one step', () => {
  const f = (params: typeof instant | typeof range, want: unknown) => {
    const all = statisticsOf({ type: 'matrix', stats }, params, { queueMs: 0, perStep: true });
    deepEqual(all.samples?.totalQueryableSamplesPerStep, want);
  };
  f(instant, [[1.5, 12]]);
  f(range, undefined);
  f({ ...range, endMs: 1999 }, [[1, 12]]);
});

test("what is too large is the query's fault", () => {
  const f = (thrown: unknown, code: string | undefined) => {
    const error = evaluationError(thrown);
    if (code === undefined) equal(error, thrown);
    else equal(error instanceof CodedError && error.code, code);
  };
  const caught = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (thrown) {
      return thrown;
    }
  };
  f(
    caught(() => new Float64Array(2 ** 53 - 1)),
    'execution',
  );
  f(
    caught(() => new ArrayBuffer(2 ** 53 - 1)),
    'execution',
  );
  f(
    caught(() => (Array.from({ length: 1 }).fill(0).concat().length = -1)),
    'execution',
  );
  f(
    caught(() => 'x'.repeat(2 ** 29)),
    'too_large',
  );
  f(
    caught(() => (1).toFixed(1000)),
    undefined,
  );
  f(new Error('other'), undefined);
});
