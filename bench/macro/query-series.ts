/**
 * The series of `query`: what a cluster of 500 pods and its services would have, 4,700 with floats and 200 with native
 * histograms. Labels and samples depend on the series' number only.
 */
import { Random } from '../../src/lib/prng.ts';
import { SCRAPE_MS, SampleSource } from './series-data.ts';

/** How many series each metric has; `other` is 50 metrics that no query asks for. */
export const SERIES = {
  requests: 1500,
  buckets: 1200,
  memory: 500,
  cpu: 500,
  other: 1000,
  histograms: 200,
} as const;

/** Upper bounds of the classic histogram. */
const BOUNDS = '0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf'.split(' ');

/** A series of samples under way. */
export interface FloatSource {
  readonly t: number;
  readonly v: number;
  next(): void;
}

/** A series with floats: its labels, and what makes its samples. */
export interface FloatSeries {
  readonly labels: [string, string][];
  readonly source: FloatSource;
}

/** What a pod's series have in common. */
function podLabels(pod: number): [string, string][] {
  return [
    ['namespace', `ns-${pod % 20}`],
    ['pod', `pod-${pod}`],
  ];
}

function nodeLabels(pod: number): [string, string][] {
  return [['job', 'cadvisor'], ['node', `node-${pod % 25}`], ...podLabels(pod)];
}

/** The labels of the i-th of {@link SERIES}.requests: three codes a pod. */
export function requestLabels(i: number): [string, string][] {
  const code = ['200', '404', '500'][i % 3] as string;
  return [
    ['__name__', 'http_requests_total'],
    ['code', code],
    ['job', 'api'],
    ...podLabels(Math.floor(i / 3)),
  ];
}

/** The labels of the i-th series of native histograms. */
export function histogramLabels(i: number): [string, string][] {
  return [['__name__', 'rpc_latency_seconds'], ['job', 'rpc'], ...podLabels(i)];
}

/** All series with floats, from a time on. */
export function floatSeries(startMs: number): FloatSeries[] {
  const out: FloatSeries[] = [];
  let seed = 1;
  const add = (labels: [string, string][], gauge: boolean): void => {
    out.push({ labels, source: new SampleSource(seed++, gauge, startMs) });
  };
  for (let i = 0; i < SERIES.requests; i++) add(requestLabels(i), false);
  for (let i = 0; i < SERIES.memory; i++)
    add([['__name__', 'container_memory_usage_bytes'], ...nodeLabels(i)], true);
  for (let i = 0; i < SERIES.cpu; i++)
    add([['__name__', 'container_cpu_usage_seconds_total'], ...nodeLabels(i)], false);
  for (let i = 0; i < SERIES.other; i++) {
    const name = `other_${i % 50}${i % 2 === 0 ? '_total' : ''}`;
    add([['__name__', name], ...nodeLabels(Math.floor(i / 50))], i % 2 === 1);
  }
  for (let i = 0; i < SERIES.buckets; i++) out.push(bucketSeries(i, startMs));
  return out;
}

function bucketSeries(i: number, startMs: number): FloatSeries {
  const bucket = i % BOUNDS.length;
  const pod = Math.floor(i / BOUNDS.length);
  return {
    labels: [
      ['__name__', 'http_request_duration_seconds_bucket'],
      ['job', 'api'],
      ['le', BOUNDS[bucket] as string],
      ...podLabels(pod),
    ],
    source: new BucketSource(1_000_000 + pod, bucket, startMs),
  };
}

/** A bucket of a classic histogram: all buckets of a pod count the same observations, at the same times. */
class BucketSource implements FloatSource {
  readonly #random: Random;
  readonly #bucket: number;
  readonly #start: number;
  #tick = 0;
  t = 0;
  v = 0;

  constructor(seed: number, bucket: number, startMs: number) {
    this.#random = new Random(seed);
    this.#bucket = bucket;
    this.#start = startMs;
  }

  next(): void {
    const random = this.#random;
    this.t = this.#start + this.#tick++ * SCRAPE_MS + random.below(11) - 5;
    if (random.float() < 1e-4) this.v = 0;
    // Each of them draws the numbers of all, so that they agree.
    for (let k = 0; k < BOUNDS.length; k++) {
      const seen = random.below(100);
      if (k <= this.#bucket) this.v += seen;
    }
  }
}
