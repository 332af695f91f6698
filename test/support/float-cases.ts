/** Histories of one series of floats, for tests of chunks. */

/** Time and start timestamp in ms, 0 for none. */
type Sample = readonly [t: number, value: number | 'stale', st?: number];

const t0 = 1_700_000_000_000;

/** Samples of each second; values and start timestamps by the number of the sample. */
function every(
  count: number,
  value: (i: number) => number | 'stale',
  st: (i: number) => number = () => 0,
): Sample[] {
  return Array.from({ length: count }, (_, i) => [t0 + i * 1000, value(i), st(i)] as const);
}

/** By name. */
export const FLOAT_CASES: Readonly<Record<string, readonly Sample[]>> = {
  'one sample': [[t0, 1.5, t0 - 10]],
  'the same value': every(9, () => 7),
  'values that change': every(12, (i) => [1, 1, 2, 3.25, -0, 0, 1e300, 1e-310][i % 8] ?? 0),
  'windows that narrow and widen': every(
    12,
    (i) => [1, 1 + 2 ** -52, 1.5, 12, 12.5, 1e9][i % 6] ?? 0,
  ),
  'special values': every(8, (i) => [NaN, Infinity, -Infinity, 0, -0, 1][i % 6] ?? 0),
  'stale markers': every(9, (i) => (i % 3 === 1 ? 'stale' : i)),
  'a stale marker first, then the same value': every(5, (i) => (i === 0 ? 'stale' : 0)),
  'steps of all sizes': [
    0,
    1,
    2,
    3,
    4099,
    8195,
    8196,
    12_292,
    540_680,
    1_593_543,
    1e9,
    1e9 + 1,
    5e12,
  ].map((d, i) => [t0 + d, i < 7 ? 5 : i] as const),
  'steps of all sizes and stale markers': [-9e12, -4, 0, 4096, 4097, 9e5, 7e12].map(
    (t, i) => [t, i % 2 === 1 ? 'stale' : 5] as const,
  ),
  'a start timestamp that stays': every(
    6,
    (i) => i,
    () => t0 - 1,
  ),
  'a start timestamp from the second sample on': every(
    6,
    (i) => i,
    (i) => (i === 0 ? 0 : t0 - 1),
  ),
  'a start timestamp from the fourth sample on': every(
    8,
    (i) => i,
    (i) => (i < 3 ? 0 : t0 + i * 1000 - 3),
  ),
  'start timestamps one by one': every(
    8,
    (i) => i % 3,
    (i) => t0 + i * 1000 - i * i * 40,
  ),
  'start timestamps that come and go': every(
    8,
    () => 1,
    (i) => (i % 2 === 0 ? 0 : t0 + 1),
  ),
  // The header has seven bits for where they begin to change.
  'a start timestamp that changes late': every(
    140,
    (i) => i % 5,
    (i) => (i < 135 ? t0 : t0 + 1),
  ),
};
