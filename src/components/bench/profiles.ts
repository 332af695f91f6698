/**
 * The profiles of `thanosbench block plan`: how long the blocks are, newest first, and what is in them. Figures:
 * thanosbench pkg/blockgen/profiles.go.
 */

const HOUR = 3600_000;

/** A named shape of data. */
export interface Profile {
  /** The lengths of the blocks in ms, newest first, as a compactor leaves them behind. */
  readonly rangesMs: readonly number[];
  /** How many targets each metric has. */
  readonly apps: number;
  readonly metricsPerApp: number;
  /** Every so often all series end and others begin; absent when series never end. */
  readonly rolloutIntervalMs?: number;
}

/** Lengths from hours. */
function hours(...list: number[]): number[] {
  return list.map((n) => n * HOUR);
}

const TWO_DAYS = hours(2, 2, 2, 8, 8, 8, 8, 8, 2);
const ONE_WEEK = hours(2, 2, 2, 8, 8, 48, 48, 48, 2);
const THIRTY_DAYS = hours(2, 2, 2, 8, 176, 176, 176, 176, 2);
const SIXTY_SEVEN_DAYS = 67 * 24;
const ONE_YEAR = [
  ...THIRTY_DAYS.slice(0, -1),
  ...hours(...Array.from({ length: 5 }, () => SIXTY_SEVEN_DAYS)),
];

/** All profiles by name. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map([
  ['realistic-k8s-2d-small', rollouts(TWO_DAYS, 100, 50)],
  ['realistic-k8s-1w-small', rollouts(ONE_WEEK, 100, 50)],
  ['realistic-k8s-30d-tiny', rollouts(THIRTY_DAYS, 1, 5)],
  ['realistic-k8s-365d-tiny', rollouts(ONE_YEAR, 1, 5)],
  ['continuous-1w-small', { rangesMs: ONE_WEEK, apps: 100, metricsPerApp: 100 }],
  ['continuous-30d-tiny', { rangesMs: THIRTY_DAYS, apps: 1, metricsPerApp: 5 }],
  ['continuous-365d-tiny', { rangesMs: ONE_YEAR, apps: 1, metricsPerApp: 5 }],
  ['continuous-1w-1series-10000apps', { rangesMs: ONE_WEEK, apps: 10_000, metricsPerApp: 1 }],
]);

function rollouts(rangesMs: readonly number[], apps: number, metricsPerApp: number): Profile {
  return { rangesMs, apps, metricsPerApp, rolloutIntervalMs: HOUR };
}
