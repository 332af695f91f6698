/**
 * Random series. Their values, wild ones apart, are multiples of 1/8 below 2^24: sums of such numbers are exact in any
 * order, so that a comparison or a rounding behind a sum gives the same whichever way it was added up.
 */
import { unreachable } from '../../../src/lib/assert.ts';
import { Labels, compareLabels } from '../../../src/model/labels.ts';
import type { Random } from '../../../src/lib/prng.ts';
import { histogramValues } from './generate-histograms.ts';
import { chance, pick } from './random-choice.ts';
import type { NaiveSeries, Point, Value } from './sample.ts';

/** What the series of a metric are like. */
export type MetricKind =
  | 'counter'
  | 'gauge'
  | 'small'
  | 'bucket'
  | 'info'
  | 'wild'
  | 'native'
  | 'native-gauge'
  | 'custom';

/** A metric of a data set. */
export interface Metric {
  readonly name: string;
  readonly kind: MetricKind;
  /** Names of labels that its series differ in. */
  readonly labels: readonly string[];
}

/** Series over a stretch of time, ms. */
export interface DataSet {
  readonly metrics: readonly Metric[];
  /** In label order. */
  readonly series: readonly NaiveSeries[];
  readonly startMs: number;
  readonly endMs: number;
}

const METRICS: readonly Metric[] = [
  { name: 'a_total', kind: 'counter', labels: ['job', 'inst'] },
  { name: 'b_total', kind: 'counter', labels: ['job', 'inst'] },
  { name: 'g', kind: 'gauge', labels: ['job', 'inst'] },
  { name: 'p', kind: 'gauge', labels: ['job'] },
  { name: 's', kind: 'small', labels: ['job', 'inst'] },
  { name: 'h_bucket', kind: 'bucket', labels: ['job', 'le'] },
  { name: 'build_info', kind: 'info', labels: ['job', 'version'] },
  { name: 'target_info', kind: 'info', labels: ['job', 'version'] },
  { name: 'w', kind: 'wild', labels: ['job', 'inst'] },
];

const NATIVE_METRICS: readonly Metric[] = [
  { name: 'nh', kind: 'native', labels: ['job', 'inst'] },
  { name: 'ng', kind: 'native-gauge', labels: ['job'] },
  { name: 'nc', kind: 'custom', labels: ['job', 'inst'] },
];

const JOBS = ['api', 'db', 'é'];
const INSTANCES = ['i1', 'i2', 'i10'];
const BOUNDS = ['0.1', '0.5', '1', '2.5', '+Inf'];

/** Some series of most metrics, over ten to twenty minutes. */
export function generateSeries(random: Random, natives: boolean): DataSet {
  const startMs = pick(random, [0, 600_000, 1_700_000_000_000]) + random.below(60) * 1000;
  const endMs = startMs + (10 + random.below(10)) * 60_000;
  const all = natives ? [...METRICS, ...NATIVE_METRICS] : METRICS;
  const metrics = all.filter(() => chance(random, 0.85));
  const series = metrics.flatMap((metric) => seriesOf(random, metric, startMs, endMs));
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  return { metrics, series, startMs, endMs };
}

function seriesOf(random: Random, metric: Metric, startMs: number, endMs: number): NaiveSeries[] {
  const { name, kind } = metric;
  const out: NaiveSeries[] = [];
  const add = (labels: Record<string, string>, values: () => Value): void => {
    const times = sampleTimes(random, startMs, endMs);
    const points = times.map((t): Point => ({ t, value: values() }));
    const all = Labels.fromObject({ __name__: name, ...labels, ...extraLabels(random, kind) });
    out.push({ labels: all, points: withStaleMarkers(random, points) });
  };
  for (const job of JOBS) {
    if (chance(random, 0.3)) continue;
    if (kind === 'bucket') {
      addBuckets(random, job, add);
      continue;
    }
    if (kind === 'info') {
      add({ job, version: pick(random, ['1.2', '1.10']) }, valuesOf(random, kind));
      continue;
    }
    const instances = metric.labels.includes('inst') ? INSTANCES : [''];
    for (const inst of instances) {
      if (chance(random, 0.25)) continue;
      add({ job, inst }, valuesOf(random, kind));
    }
  }
  return out;
}

/** Labels that not all series of a metric have. */
function extraLabels(random: Random, kind: MetricKind): Record<string, string> {
  if (kind !== 'gauge' || !chance(random, 0.2)) return {};
  return { __type__: 'gauge', __unit__: pick(random, ['bytes', 'seconds']) };
}

/** A scrape every 15 s, some late, some missing, now and then a longer gap. */
function sampleTimes(random: Random, startMs: number, endMs: number): number[] {
  const times: number[] = [];
  const intervalMs = pick(random, [15_000, 15_000, 30_000]);
  const jitterMs = pick(random, [0, 0, 5, 4000]);
  for (let t = startMs + (chance(random, 0.5) ? 0 : random.below(intervalMs)); t <= endMs;) {
    times.push(t + (jitterMs === 0 ? 0 : random.below(jitterMs)));
    t += intervalMs;
    if (chance(random, 0.05)) t += intervalMs * (1 + random.below(3));
    if (chance(random, 0.02)) t += 400_000;
  }
  return times;
}

function withStaleMarkers(random: Random, points: Point[]): Point[] {
  if (chance(random, 0.6)) return points;
  return points.map((point): Point =>
    chance(random, 0.05) ? { t: point.t, value: 'stale' } : point,
  );
}

function addBuckets(
  random: Random,
  job: string,
  add: (labels: Record<string, string>, values: () => Value) => void,
): void {
  for (const [i, le] of BOUNDS.entries()) {
    // A bucket that is missing, one that falls, or a bound that is none.
    if (chance(random, 0.05)) continue;
    const bound = chance(random, 0.02) ? `x${i}` : le;
    add({ job, le: bound }, growing(random, { least: chance(random, 0.05) ? 0 : i, most: i + 1 }));
  }
}

function valuesOf(random: Random, kind: MetricKind): () => Value {
  switch (kind) {
    case 'counter':
      return growing(random, { least: 0, most: pick(random, [3, 100, 10_000]) });
    case 'small':
      return () => random.below(6);
    case 'wild':
      return wild(random);
    case 'gauge':
      return gauge(random);
    case 'bucket':
    case 'info':
      return () => 1;
    case 'native':
    case 'native-gauge':
    case 'custom': {
      const histograms = histogramValues(random, kind);
      // Some series change between floats and histograms.
      const floats = chance(random, 0.15) ? 0.3 : 0;
      return () => (chance(random, floats) ? random.below(10) : histograms());
    }
    default:
      return unreachable(kind);
  }
}

/** A counter that is reset now and then. */
function growing(random: Random, { least, most }: { least: number; most: number }): () => number {
  let value = random.below(50);
  const resets = chance(random, 0.5) ? 0.04 : 0;
  return () => {
    if (chance(random, resets)) value = random.below(3);
    else value += least + random.below(most + 1 - least);
    return value;
  };
}

function gauge(random: Random): () => number {
  const odd = chance(random, 0.4) ? 0.06 : 0;
  const scale = pick(random, [1, 8, 8]);
  const lowest = pick(random, [-1500, -1500, -4000, 1]);
  return () => {
    if (chance(random, odd)) return pick(random, [NaN, Infinity, -Infinity, -0, 0]);
    return (lowest + random.below(4000)) / scale;
  };
}

/** Numbers of any size, and some that are next to each other. */
function wild(random: Random): () => number {
  const near = random.float() * 1e3;
  // Sums of these are too large for a double.
  if (chance(random, 0.3)) return () => (random.float() - 0.3) * Number.MAX_VALUE;
  return () => {
    if (chance(random, 0.1)) return pick(random, [1e308, -1e308, 5e-324, 1e17, 2 ** 53 + 2, -0]);
    if (chance(random, 0.4)) return near * (1 + random.below(8) * Number.EPSILON);
    return (random.float() - 0.4) * 10 ** (random.below(40) - 20);
  };
}
