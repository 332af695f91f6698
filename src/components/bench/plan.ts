/**
 * Plans: the blocks of a profile, newest first, each ending where the one after it begins. Everything follows from the
 * profile, the labels and the end; nothing is random. Behaviour: thanosbench pkg/blockgen/profiles.go.
 */
import type { BlockSpec, SeriesSpec } from './block-spec.ts';
import type { Profile } from './profiles.ts';

const HOUR = 3600_000;
const ALIGNMENT_MS = 2 * HOUR;

/** The external labels of the blocks and the time at which the newest one ends, in ms. */
export interface PlanOptions {
  readonly externalLabels: readonly (readonly [string, string])[];
  /** Is moved on to the next even hour. */
  readonly maxTime: number;
}

/** All series of the profiles are gauges of this shape. */
const GAUGE = {
  type: 'GAUGE',
  jitter: 30_000_000,
  scrapeIntervalMs: 15_000,
  changeIntervalMs: HOUR,
  max: 200_000_000,
  min: 10_000_000,
} as const;

/** The blocks of a profile, newest first, made as they are asked for. */
export function* planBlocks(profile: Profile, options: PlanOptions): Generator<BlockSpec> {
  // Go divides towards zero, so that times before the epoch end one window later.
  let maxTime = Math.trunc(options.maxTime / ALIGNMENT_MS) * ALIGNMENT_MS + ALIGNMENT_MS;
  const rollouts = new Rollouts(profile, maxTime);
  for (const range of profile.rangesMs) {
    const minTime = maxTime - range + 1;
    const series =
      profile.rolloutIntervalMs === undefined
        ? continuousSeries(profile, minTime, maxTime)
        : rollouts.series(minTime, maxTime);
    yield {
      minTime,
      maxTime,
      level: 1,
      thanos: { version: 0, labels: options.externalLabels, resolution: 0, source: 'blockgen' },
      series,
    };
    maxTime = minTime;
  }
}

function continuousSeries(profile: Profile, minTime: number, maxTime: number): SeriesSpec[] {
  return Array.from({ length: profile.metricsPerApp }, (_, i) => ({
    ...GAUGE,
    labels: [['__name__', `continuous_app_metric${i}`]],
    targets: profile.apps,
    minTime,
    maxTime,
  }));
}

/** Series that a rollout ends: walks the rollouts back in time, block by block. */
class Rollouts {
  readonly #profile: Profile;
  readonly #interval: number;
  #last: number;

  constructor(profile: Profile, maxTime: number) {
    this.#profile = profile;
    this.#interval = profile.rolloutIntervalMs ?? 0;
    this.#last = maxTime - this.#interval / 2;
  }

  series(minTime: number, maxTime: number): SeriesSpec[] {
    const out: SeriesSpec[] = [];
    for (;;) {
      const rollout = this.#last;
      for (let i = 0; i < this.#profile.metricsPerApp; i++) {
        out.push({
          ...GAUGE,
          labels: [
            ['__name__', `k8s_app_metric${i}`],
            ['next_rollout_time', goTime(rollout)],
          ],
          targets: this.#profile.apps,
          minTime: Math.max(rollout, minTime),
          maxTime: Math.min(rollout + this.#interval, maxTime),
        });
      }
      // The rollout that is older than the block goes on in the next one.
      if (rollout <= minTime) return out;
      this.#last -= this.#interval;
    }
  }
}

/** A UTC time as Go's time.Time.String prints it: `2026-11-01 01:30:00 +0000 UTC`. */
function goTime(ms: number): string {
  const iso = new Date(ms).toISOString();
  const fraction = iso.slice(19, 23).replace(/\.?0+$/, '');
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction} +0000 UTC`;
}
