/**
 * The samples of a generated series, the same as Go's thanosbench makes of the same plan (pkg/seriesgen): the series'
 * own name seeds its random numbers, and numbers are drawn and rounded in the same order. (As Go does it on amd64: on
 * arm64 it may round once where it multiplies and adds.)
 *
 * All generators make the first sample one interval behind minTime and stop with the first at or behind maxTime.
 */
import { encodeUtf8 } from '../../lib/utf8.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import { TARGET_LABEL } from './block-spec.ts';
import type { SeriesSpec } from './block-spec.ts';
import type { GoRandom } from './go-random.ts';
import type { SampleEncoder } from './sample-encoder.ts';

/** COUNTER values are drawn for so long at a time. */
const COUNTER_BATCH_MS = 300_000;

/** The seed of a series: a hash of its labels, target first, and of the external ones, both by name. */
export function seriesSeed(
  labels: readonly (readonly [string, string])[],
  target: number,
  externalLabels: readonly (readonly [string, string])[],
): bigint {
  // compat: a byte 0xff ends each name and value; no UTF-8 text has one, so it is put there through a code that only
  // Latin-1 writes as that byte.
  const parts = [[TARGET_LABEL, String(target)] as const, ...labels, ...externalLabels].flat();
  return xxhash64(Buffer.concat(parts.flatMap((part) => [encodeUtf8(part), TERMINATOR])));
}

const TERMINATOR = Uint8Array.of(0xff);

/** Appends the samples of one series; `random` has been seeded for it. */
export function generateSamples(spec: SeriesSpec, random: GoRandom, out: SampleEncoder): void {
  const { minTime, maxTime, scrapeIntervalMs } = spec;
  if (minTime > maxTime) return;
  const count = Math.floor((maxTime - minTime) / scrapeIntervalMs) + 1;
  if (spec.type === 'GAUGE') generateGauge(spec, random, { count, out });
  else if (spec.type === 'COUNTER') generateCounter(spec, random, { count, out });
  else {
    for (let i = 1; i <= count; i++) {
      out.append(minTime + i * scrapeIntervalMs, uniform(spec, random));
    }
  }
}

interface Output {
  /** Samples to make. */
  readonly count: number;
  readonly out: SampleEncoder;
}

/** A value from min to one above max. */
function uniform({ min, max }: SeriesSpec, random: GoRandom): number {
  return min + random.float() * (max - min + 1);
}

/** One value that is kept, off by up to half the jitter, anew in each change interval. */
function generateGauge(spec: SeriesSpec, random: GoRandom, { count, out }: Output): void {
  const { minTime, scrapeIntervalMs: step, changeIntervalMs, jitter } = spec;
  const value = uniform(spec, random);
  // The first interval has no deviation, unless intervals are shorter than a scrape.
  const steps = jitter > 0 ? Math.max(1, Math.ceil(changeIntervalMs / step)) : count;
  let deviation = 0;
  for (let i = 0; i < count; i += steps) {
    if (jitter > 0 && (i > 0 || changeIntervalMs <= 0)) deviation = (random.float() - 0.5) * jitter;
    out.appendRun(minTime + (i + 1) * step, step, Math.min(steps, count - i), value + deviation);
  }
}

/** A sum whose growth is drawn for five minutes at a time; it never falls back to zero. */
function generateCounter(spec: SeriesSpec, random: GoRandom, { count, out }: Output): void {
  const { minTime, scrapeIntervalMs: step, changeIntervalMs, jitter } = spec;
  const goal = uniform(spec, random);
  const parts = new Float64Array(Math.floor(COUNTER_BATCH_MS / step));
  let value = 0;
  let elapsed = 0;
  for (let i = 0; i < count; i += parts.length) {
    let deviation = 0;
    if (jitter > 0 && elapsed >= changeIntervalMs) {
      deviation = Math.min(goal, (random.float() - 0.5) * jitter);
      elapsed = 0;
    }
    let sum = 0;
    for (let k = 0; k < parts.length; k++) {
      const part = random.float();
      parts[k] = part;
      sum += part;
    }
    const growth = goal + deviation / sum;
    const end = Math.min(parts.length, count - i);
    for (let k = 0; k < end; k++) {
      value += growth * (parts[k] as number);
      out.append(minTime + (i + k + 1) * step, value);
    }
    elapsed += parts.length * step;
  }
}
