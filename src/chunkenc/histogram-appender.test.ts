/**
 * What Prometheus 3.14 makes of the same samples, byte for byte: prometheus-chunks.ts holds what its tsdb/chunkenc wrote
 * for these tables. The comments say what the case is about.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_HISTOGRAM } from './encodings.ts';
import { HistogramAppender } from './histogram-appender.ts';
import { histogramChunkCount, histogramChunkHint } from './histogram-chunk-header.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { HISTOGRAM_CASES } from '../../test/support/histogram-cases.ts';
import { addPlain, encodePlain, plainAt } from '../../test/support/plain-histogram.ts';
import type { PlainHistogram } from '../../test/support/plain-histogram.ts';
import { PROMETHEUS_CHUNKS } from '../../test/support/prometheus-chunks.ts';
import { transcodeChunk } from './transcode.ts';

for (const encoding of [2, 3, 5, 6]) {
  for (const [name, samples] of Object.entries(HISTOGRAM_CASES)) {
    test(`histogram appender, encoding ${encoding}: ${name}`, () => {
      const chunks = encodePlain(encoding, samples);
      const hex = chunks.map((chunk) => Buffer.from(chunk).toString('hex'));
      deepEqual(hex, PROMETHEUS_CHUNKS[`${encoding} ${name}`]);
      // Without start timestamps they are the chunks of the old encoding.
      if (encoding < 5) return;
      const old = chunks.map((chunk) => transcodeChunk(encoding, chunk));
      deepEqual(
        old.map(({ encoding: to, data }) => [to, Buffer.from(data).toString('hex')]),
        PROMETHEUS_CHUNKS[`${encoding - 3} ${name}`]?.map((chunk) => [encoding - 3, chunk]),
      );
    });
  }
}

/** Encodes samples; answers each chunk's count and what its header says. */
function cuts(encoding: number, samples: readonly PlainHistogram[]): [number, number][] {
  return encodePlain(encoding, samples).map((chunk) => [
    histogramChunkCount(chunk, 0, encoding),
    histogramChunkHint(chunk, 0, encoding),
  ]);
}

test('histogram appender: where chunks end, and what the header of the next one says', () => {
  const { unknown, reset, notReset, gauge } = RESET_HINT;
  const f = (name: string, want: [number, number][], wantFloat = want): void => {
    const samples = HISTOGRAM_CASES[name] as PlainHistogram[];
    deepEqual(cuts(ENCODING_HISTOGRAM, samples), want, name);
    deepEqual(cuts(ENCODING_FLOAT_HISTOGRAM, samples), wantFloat, name);
  };
  f('one layout', [[4, unknown]]);
  f('buckets appear', [[3, unknown]]);
  f('empty buckets go', [[3, unknown]]);
  f('buckets come and go at once', [[3, unknown]]);
  f('a bucket that counted goes', [
    [1, unknown],
    [1, reset],
  ]);
  f('the count falls', [
    [1, unknown],
    [1, reset],
  ]);
  f('a bucket falls while the count grows', [
    [1, unknown],
    [1, reset],
  ]);
  f('the zero bucket falls', [
    [1, unknown],
    [1, reset],
  ]);
  f('another schema', [
    [1, unknown],
    [1, unknown],
  ]);
  f('another zero threshold', [
    [1, unknown],
    [1, unknown],
  ]);
  f('other custom bounds', [
    [1, unknown],
    [1, reset],
  ]);
  f('told of a reset', [
    [1, reset],
    [1, reset],
  ]);
  f('gauges', [[5, gauge]]);
  f(
    'a counter, a gauge, a counter',
    [
      [1, unknown],
      [1, gauge],
      [1, notReset],
    ],
    [
      [1, unknown],
      [1, gauge],
      [1, unknown],
    ],
  );
  f('stale markers', [
    [3, unknown],
    [1, unknown],
  ]);
  f('cut by size', [
    [1, unknown],
    [1, notReset],
    [1, reset],
  ]);
  f(
    'cut by size where the schema changes',
    [
      [1, unknown],
      [1, unknown],
    ],
    [
      [1, unknown],
      [1, notReset],
    ],
  );
});

test('histogram appender: a sample that does not fit changes nothing', () => {
  const columns = new HistogramColumns();
  addPlain(columns, HISTOGRAM_CASES['the count falls'] ?? [], false);
  const appender = new HistogramAppender(ENCODING_HISTOGRAM);
  equal(appender.byteLength, 3);
  deepEqual([...appender.bytes()], [0, 0, 0]);
  equal(appender.append(columns, 0), 'appended');
  const before = appender.bytes().slice();
  equal(appender.append(columns, 1), 'new chunk needed');
  deepEqual(appender.bytes(), before);
  equal(appender.byteLength, before.length);
  equal(appender.append(columns, 0), 'appended');
  equal(appender.count, 2);
});

test('histogram appender: no more samples than the count can say', () => {
  const columns = new HistogramColumns();
  addPlain(columns, [{ t: 1 }], false);
  for (const [encoding, most] of [
    [2, 65535],
    [5, 16383],
  ] as const) {
    const appender = new HistogramAppender(encoding);
    for (let n = 0; n < most; n++) equal(appender.append(columns, 0), 'appended');
    equal(appender.append(columns, 0), 'new chunk needed');
    equal(histogramChunkCount(appender.bytes(), 0, encoding), most);
  }
});

test('histogram appender: the header by order', () => {
  const columns = new HistogramColumns();
  addPlain(columns, [{ t: 1, hint: 'gauge' }], false);
  for (const hint of Object.values(RESET_HINT)) {
    const appender = HistogramAppender.withHint(ENCODING_HISTOGRAM, hint);
    appender.append(columns, 0);
    equal(histogramChunkHint(appender.bytes()), hint);
  }
});

test('histogram appender: counts near 2^53 come back exactly', () => {
  // limit: all counts to 2^51, and larger ones as long as they do not jump.
  const f = (counts: readonly number[]): void => {
    const samples = counts.map((count, i) => ({
      t: i,
      hint: 'gauge' as const,
      positiveSpans: [[0, 2]] as const,
      positive: [count, 0],
      zeroCount: count,
      count,
    }));
    const columns = new HistogramColumns();
    const [chunk] = encodePlain(ENCODING_HISTOGRAM, samples);
    if (chunk === undefined) throw new Error('no chunk');
    equal(decodeHistogramChunk(chunk, 0, chunk.length, ENCODING_HISTOGRAM, columns), counts.length);
    deepEqual(
      counts.map((_, i) => {
        const { positive, count, zeroCount } = plainAt(columns, i);
        return [positive, count, zeroCount];
      }),
      counts.map((count) => [[count, 0], count, count]),
    );
  };
  f([2 ** 51 - 1, 0, 2 ** 51 - 3, 1, 2 ** 51 - 1]);
  f([2 ** 53 - 3, 2 ** 53 - 2, 2 ** 53 - 1]);
  f([2 ** 56, 2 ** 56]);
});

test('histogram appender: times of both signs and all steps', () => {
  const times = [-(2 ** 51), -5000, 0, 1, 15_001, 2 ** 41, 2 ** 51];
  const columns = new HistogramColumns();
  for (const encoding of [2, 3, 5, 6]) {
    columns.clear();
    const [chunk] = encodePlain(
      encoding,
      times.map((t) => ({ t })),
    );
    if (chunk === undefined) throw new Error('no chunk');
    decodeHistogramChunk(chunk, 0, chunk.length, encoding, columns);
    deepEqual([...columns.t.subarray(0, columns.length)], times);
  }
});
