import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TIME, MIN_TIME } from '../../model/value.ts';
import { queryLogLine } from './query-log.ts';

const stats = {
  timings: {
    evalTotalTime: 0.000447452,
    resultSortTime: 6.48e-7,
    queryPreparationTime: 0.000014177,
    innerEvalTime: 0.000427033,
    execQueueTime: 0.000007599,
    execTotalTime: 0.000461232,
  },
  samples: { totalQueryableSamples: 20, peakSamples: 4 },
};
const origin = { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' };

test('query log: a range query, members in the order that Prometheus has', () => {
  const params = {
    query: 'up == 0 and "ü<\n"',
    startMs: 0,
    endMs: 3_600_000,
    stepMs: 5999,
    timeoutMs: 1,
    origin,
  };
  equal(
    queryLogLine({ params, stats }, 1_700_000_000_123),
    '{"time":"2023-11-14T22:13:20.123Z","level":"INFO","msg":"promql query logged",' +
      '"params":{"end":"1970-01-01T01:00:00.000Z","query":"up == 0 and \\"ü<\\n\\"","start":"1970-01-01T00:00:00.000Z","step":5},' +
      '"stats":{"timings":{"evalTotalTime":0.000447452,"resultSortTime":6.48e-7,"queryPreparationTime":0.000014177,' +
      '"innerEvalTime":0.000427033,"execQueueTime":0.000007599,"execTotalTime":0.000461232},' +
      '"samples":{"totalQueryableSamples":20,"peakSamples":4}},' +
      '"spanID":"0000000000000000","traceID":"00000000000000000000000000000000",' +
      '"httpRequest":{"clientIP":"127.0.0.1","method":"GET","path":"/api/v1/query_range"}}',
  );
});

test('query log: an instant query that failed, and times that no date has', () => {
  const params = { query: 'x', timeMs: 1500, timeoutMs: 1 };
  const timings = { evalTotalTime: 2, execQueueTime: 1, execTotalTime: 3 };
  const line = queryLogLine({ params, stats: { timings }, error: 'gone' }, 0);
  deepEqual(JSON.parse(line), {
    time: '1970-01-01T00:00:00.000Z',
    level: 'INFO',
    msg: 'promql query logged',
    params: {
      end: '1970-01-01T00:00:01.500Z',
      query: 'x',
      start: '1970-01-01T00:00:01.500Z',
      step: 0,
    },
    error: 'gone',
    stats: { timings },
    spanID: '0000000000000000',
    traceID: '00000000000000000000000000000000',
  });
  for (const timeMs of [MIN_TIME, MAX_TIME]) {
    const { start } = JSON.parse(queryLogLine({ params: { ...params, timeMs }, stats }, 0)).params;
    equal(start, timeMs < 0 ? '-271821-04-20T00:00:00.000Z' : '+275760-09-13T00:00:00.000Z');
  }
});
