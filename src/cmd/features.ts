/** `--enable-feature`: Prometheus' and Thanos' names for what is experimental, and what they switch on here. */
import type { PromqlSettings } from '../components/all/query-tasks.ts';
import type { Logger } from '../lib/log.ts';
import type { ParseOptions } from '../promql/parse/options.ts';

const PERMANENT =
  'This option for --enable-feature is now permanently enabled and therefore a no-op.';
const DEPRECATED = 'This option for --enable-feature is now deprecated and therefore a no-op.';
const UNKNOWN = 'Unknown option for --enable-feature';

/** What a feature switches on, and the line that says so. */
interface Feature {
  readonly message: string;
  readonly parse?: keyof ParseOptions;
  readonly setting?: 'delayedNameRemoval' | 'typeAndUnitLabels' | 'perStepStats';
}

const FEATURES: ReadonlyMap<string, Feature> = new Map<string, Feature>([
  [
    'promql-experimental-functions',
    { message: 'Experimental PromQL functions enabled.', parse: 'experimentalFunctions' },
  ],
  [
    'promql-extended-range-selectors',
    {
      message: 'Experimental PromQL extended range selectors enabled.',
      parse: 'extendedRangeSelectors',
    },
  ],
  [
    'promql-binop-fill-modifiers',
    {
      message: 'Experimental PromQL binary operator fill modifiers enabled.',
      parse: 'binopFill',
    },
  ],
  [
    'promql-delayed-name-removal',
    {
      message: 'Experimental PromQL delayed name removal enabled.',
      setting: 'delayedNameRemoval',
    },
  ],
  [
    'promql-per-step-stats',
    { message: 'Experimental per-step statistics reporting', setting: 'perStepStats' },
  ],
  [
    'type-and-unit-labels',
    { message: 'Experimental type and unit labels enabled', setting: 'typeAndUnitLabels' },
  ],
]);

/** Names that switch on what is always on, or nothing any more. */
const NO_OPS: ReadonlyMap<string, string> = new Map([
  ['promql-duration-expr', PERMANENT],
  ['promql-at-modifier', PERMANENT],
  ['promql-negative-offset', PERMANENT],
  ['native-histograms', PERMANENT],
  ['ooo-native-histograms', PERMANENT],
  ['query-pushdown', DEPRECATED],
]);

/** What Prometheus 3.14 knows beside these: about scraping, rules and storage, or not carried yet. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'auto-reload-config',
  'concurrent-rule-eval',
  'created-timestamp-zero-ingestion',
  'delayed-compaction',
  'exemplar-storage',
  'extra-scrape-metrics',
  'fast-startup',
  'histograms-st-encoding',
  'memory-snapshot-on-shutdown',
  'metadata-wal-records',
  'old-ui',
  'otlp-deltatocumulative',
  'otlp-native-delta-ingestion',
  'search-api',
  'st-storage',
  'st-synthesis',
  'use-start-timestamps',
  'use-uncached-io',
  'xor2-encoding',
]);

/** Reads the values of the flag, each a list with commas. As in Prometheus, a name that nobody knows is a warning. */
export function promqlSettings(lists: readonly string[], log: Logger): PromqlSettings {
  const features: Partial<Record<keyof ParseOptions, boolean>> = {};
  const settings = { delayedNameRemoval: false, typeAndUnitLabels: false, perStepStats: false };
  for (const option of lists.flatMap((list) => list.split(','))) {
    const feature = FEATURES.get(option);
    if (feature === undefined) {
      log.warn(withoutEffect(option), { option });
      continue;
    }
    if (feature.parse !== undefined) features[feature.parse] = true;
    if (feature.setting !== undefined) settings[feature.setting] = true;
    log.info(feature.message);
  }
  return { features, ...settings };
}

function withoutEffect(option: string): string {
  const noOp = NO_OPS.get(option);
  if (noOp !== undefined) return noOp;
  return WITHOUT_EFFECT.has(option)
    ? 'This option for --enable-feature has no effect in thanos all.'
    : UNKNOWN;
}
