/** Histories of one series, for tests of histogram chunks. */
import type { PlainHistogram } from './plain-histogram.ts';

/** Two positive buckets and one negative. */
const base: PlainHistogram = {
  t: 1_700_000_000_000,
  st: 1_699_999_990_000,
  schema: 3,
  zeroThreshold: 2 ** -128,
  positiveSpans: [
    [0, 1],
    [2, 1],
  ],
  positive: [4, 3],
  negativeSpans: [[1, 1]],
  negative: [2],
  zeroCount: 1,
  sum: 18.5,
};
const t1 = base.t + 15_000;
const t2 = base.t + 30_001;
const t3 = base.t + 45_000;

/** Bounds of both encodings: thousandths up to 33,554.43, and others. */
const custom: PlainHistogram = {
  t: base.t,
  schema: -53,
  customValues: [-1.5, 0, 0.001, 0.25, 1, 33_554.43, 33_554.431, 1e300],
  positiveSpans: [
    [0, 3],
    [2, 2],
  ],
  positive: [1, 0, 2, 5, 3],
  sum: 99,
};

/** By name. Float and integer chunks are made of the same ones. */
export const HISTOGRAM_CASES: Readonly<Record<string, readonly PlainHistogram[]>> = {
  'one layout': [
    base,
    { ...base, t: t1, positive: [4, 3], sum: 18.5 },
    { ...base, t: t2, positive: [6, 400], sum: 21.25, zeroCount: 3 },
    {
      ...base,
      t: t3,
      positive: [70_006, 50_000_000],
      negative: [2 ** 40],
      zeroCount: 3,
      sum: -1e99,
    },
  ],
  'nothing at all': [{ t: 0 }, { t: 1 }, { t: 2, zeroCount: 5, sum: 0.5, zeroThreshold: 0 }],
  'buckets appear': [
    base,
    {
      ...base,
      t: t1,
      positiveSpans: [[-1, 5]],
      positive: [1, 5, 1, 0, 3],
    },
    {
      ...base,
      t: t2,
      positiveSpans: [[-1, 5]],
      positive: [1, 5, 1, 1, 3],
      // As it came: two spans that touch.
      negativeSpans: [
        [0, 1],
        [0, 1],
        [3, 1],
      ],
      negative: [1, 2, 7],
    },
  ],
  'empty buckets go': [
    { ...base, positiveSpans: [[0, 4]], positive: [4, 0, 0, 3] },
    { ...base, t: t1, positive: [5, 3] },
    { ...base, t: t2, positive: [6, 4] },
  ],
  'buckets come and go at once': [
    { ...base, positiveSpans: [[0, 4]], positive: [4, 0, 0, 3], negative: [0] },
    {
      ...base,
      t: t1,
      positiveSpans: [
        [0, 2],
        [1, 1],
        [0, 2],
      ],
      positive: [5, 1, 3, 8, 9],
      negativeSpans: [[4, 2]],
      negative: [1, 1],
    },
    {
      ...base,
      t: t2,
      positiveSpans: [[0, 6]],
      positive: [5, 1, 2, 3, 8, 9],
      negativeSpans: [
        [4, 1],
        [0, 1],
        [0, 0],
        [2, 1],
      ],
      negative: [1, 1, 3],
    },
  ],
  'the same buckets, said otherwise': [
    base,
    {
      ...base,
      t: t1,
      positiveSpans: [
        [0, 1],
        [1, 0],
        [1, 1],
      ],
      positive: [5, 3],
    },
    { ...base, t: t2, positive: [5, 3] },
  ],
  'a bucket that counted goes': [base, { ...base, t: t1, positiveSpans: [[0, 1]], positive: [50] }],
  'the count falls': [base, { ...base, t: t1, positive: [4, 2] }],
  'a bucket falls while the count grows': [base, { ...base, t: t1, positive: [40, 2] }],
  'the zero bucket falls': [base, { ...base, t: t1, positive: [40, 3], zeroCount: 0 }],
  'another schema': [base, { ...base, t: t1, schema: 2 }],
  'another zero threshold': [base, { ...base, t: t1, zeroThreshold: 0.001 }],
  'custom bounds': [custom, { ...custom, t: t1, positive: [1, 0, 3, 5, 3], sum: 99.5 }],
  'other custom bounds': [
    custom,
    { ...custom, t: t1, customValues: [-1.5, 0, 0.001, 0.25, 1, 2, 3] },
  ],
  'zero thresholds': [0, 2 ** -243, 2 ** -244, 1, 2 ** 10, 2 ** 11, 0.3].map(
    (zeroThreshold, i) => ({
      t: i,
      zeroThreshold,
    }),
  ),
  'told of a reset': [
    { ...base, hint: 'reset' },
    { ...base, t: t1, hint: 'reset' },
  ],
  'told of none': [
    { ...base, hint: 'notReset' },
    { ...base, t: t1, hint: 'notReset' },
  ],
  gauges: [
    { ...base, hint: 'gauge' },
    { ...base, t: t1, hint: 'gauge', positive: [1, 1], sum: 4 },
    { ...base, t: t2, hint: 'gauge', positiveSpans: [[0, 1]], positive: [9] },
    {
      ...base,
      t: t3,
      hint: 'gauge',
      positiveSpans: [[-2, 2]],
      positive: [7, 6],
      negativeSpans: [
        [0, 1],
        [0, 1],
      ],
      negative: [1, 1],
    },
    { t: t3 + 1, hint: 'gauge', schema: 3, zeroThreshold: 2 ** -128 },
  ],
  'a counter, a gauge, a counter': [base, { ...base, t: t1, hint: 'gauge' }, { ...base, t: t2 }],
  'a gauge, then told of a reset': [
    { ...base, hint: 'gauge' },
    { ...base, t: t1, hint: 'reset' },
    { ...base, t: t2, hint: 'gauge', cut: true },
    { ...base, t: t3, hint: 'reset', cut: true },
  ],
  'stale markers': [
    base,
    { t: t1, st: 5, sum: 'stale' },
    { t: t2, st: 7, sum: 'stale' },
    { ...base, t: t3 },
  ],
  'a stale marker first': [
    { ...base, sum: 'stale' },
    { t: t1, sum: 'stale' },
    { ...base, t: t2, positive: [1, 1] },
  ],
  'a stale gauge': [
    { ...base, hint: 'gauge' },
    { t: t1, hint: 'gauge', sum: 'stale' },
    { t: t2, sum: 'stale' },
  ],
  'cut by size': [
    base,
    { ...base, t: t1, cut: true },
    { ...base, t: t2, positive: [1, 1], cut: true },
  ],
  'cut by size where the schema changes': [base, { ...base, t: t1, schema: 2, cut: true }],
  'start timestamps from the third sample on': [
    { ...base, st: 0 },
    { ...base, t: t1, st: 0 },
    { ...base, t: t2, st: t1 },
    { ...base, t: t3, st: t2 + 7 },
    { ...base, t: t3 + 9, st: 0, positiveSpans: [[0, 4]], positive: [4, 1, 1, 3] },
  ],
  // The header has seven bits for where they begin to change.
  'a start timestamp that never changes, 130 samples': Array.from({ length: 130 }, (_, i) => ({
    t: base.t + i * 1000,
    st: base.t - 1,
    zeroCount: i,
  })),
};
