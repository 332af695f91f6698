/**
 * info(): adds the labels of info series, as target_info, to the series that have the same job and instance (Prometheus 3.14,
 * promql/info.go; experimental).
 */
import { CodedError } from '../../lib/errors.ts';
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { SeriesSet } from '../../storage/storage.ts';
import type { InfoNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { scanSeries } from './fragment.ts';
import { printLabels } from './metric-labels.ts';
import { refuseTwice } from './same-labels.ts';
import type { ScanSpec } from './scan-spec.ts';
import { HISTOGRAM, VectorBuilder, hasAny, type StepVectors } from './step-vectors.ts';

/** What tells to which target a series belongs. */
const IDENTIFYING = ['instance', 'job'] as const;
const TARGET_INFO = 'target_info';

/** Characters that mean something in a regular expression. */
const SPECIAL = /[\\.+*?()|[\]{}^$]/g;

/** Info series: `times` has when their newest sample at each step was (ms), row by row; NaN where there is none. */
interface InfoSeries {
  readonly labels: readonly Labels[];
  readonly times: Float64Array;
}

/** Evaluates info() of vectors. */
export async function evaluateInfo(
  ctx: ExecContext,
  node: InfoNode,
  base: StepVectors,
): Promise<StepVectors> {
  const matchers = node.matchers ?? [];
  const names = nameMatchers(matchers.filter(({ name }) => name === METRIC_NAME));
  const data = matchers.filter(({ name }) => name !== METRIC_NAME);
  const isInfo = base.labels.map((labels) =>
    names.every((matcher) => matcher.matches(labels.get(METRIC_NAME))),
  );
  const identifying = identifyingMatchers(base, isInfo);
  const info =
    identifying.length === 0
      ? { labels: [], times: new Float64Array(0) }
      : await readInfo(ctx, node, [...identifying, ...data, ...names]);
  return new Enrichment(base, info, data, isInfo).run();
}

/** Which series are info series: what was asked for; when only exclusions were, all that are called so; else target_info. */
function nameMatchers(asked: readonly Matcher[]): readonly Matcher[] {
  if (asked.length === 0) return [new Matcher('=', METRIC_NAME, TARGET_INFO)];
  if (asked.some(({ type }) => type === '=' || type === '=~')) return asked;
  return [new Matcher('=~', METRIC_NAME, '.+_info'), ...asked];
}

/** Matchers of the targets of all series that are no info series themselves. */
function identifyingMatchers(base: StepVectors, isInfo: readonly boolean[]): Matcher[] {
  return IDENTIFYING.flatMap((name) => {
    const values = new Set<string>();
    for (const [row, labels] of base.labels.entries()) {
      const value = labels.get(name);
      if (isInfo[row] !== true && value !== '' && hasAny(base, row)) values.add(value);
    }
    if (values.size === 0) return [];
    const pattern = [...values]
      .map((value) => value.replaceAll(SPECIAL, String.raw`\$&`))
      .join('|');
    return [new Matcher('=~', name, pattern)];
  });
}

async function readInfo(
  ctx: ExecContext,
  node: InfoNode,
  matchers: readonly Matcher[],
): Promise<InfoSeries> {
  const { grid, refStartMs, refStepMs, lookbackMs } = node;
  const set = await ctx.options.queryable.select({
    matchers,
    mint: refStartMs - lookbackMs + 1,
    maxt: refStartMs + refStepMs * (grid.count - 1),
  });
  try {
    for (const warning of set.warnings) ctx.storageWarnings.add(warning);
    await set.load(0, set.count);
    const spec: ScanSpec = {
      func: 'value',
      params: [],
      steps: grid.count,
      refStartMs,
      refStepMs,
      startMs: grid.startMs,
      stepMs: grid.stepMs,
      rangeMs: 0,
      lookbackMs,
      extension: 'none',
      useStarts: false,
      statsOnly: false,
      correctsCounters: false,
    };
    const check = (): void => ctx.check();
    const found = scanSeries(set, 0, set.count, spec, undefined, check);
    refuseHistograms(set, found.present, grid.count);
    const times = scanSeries(set, 0, set.count, { ...spec, func: 'timestamp' }, undefined, check);
    ctx.samplesTotal += times.samples;
    return {
      labels: Array.from({ length: set.count }, (_, i) => set.labels(i)),
      times: times.values.map((seconds, i) =>
        times.present[i] === 0 ? NaN : Math.round(seconds * 1000),
      ),
    };
  } finally {
    set.close();
  }
}

function refuseHistograms(set: SeriesSet, present: Uint8Array, steps: number): void {
  const at = present.indexOf(HISTOGRAM);
  if (at < 0) return;
  const labels = printLabels(set.labels(Math.floor(at / steps)));
  const text = `this should be an info metric, with float samples: ${labels}`;
  throw new CodedError('execution', text);
}

/** Finds the info series of each series at each step, and gives it their labels. */
class Enrichment {
  readonly #base: StepVectors;
  readonly #info: InfoSeries;
  /** Names of the labels that are wanted; all when empty. */
  readonly #wanted: ReadonlySet<string>;
  /** Whether a series without an info series is dropped. */
  readonly #needsInfo: boolean;
  readonly #isInfo: readonly boolean[];
  readonly #builder: VectorBuilder;
  readonly #rows = new Map<string, number>();
  /** Labels by row of the base and rows of the info series. */
  readonly #labels = new Map<string, Labels>();
  /** Whether two series of the step have come to the same labels. */
  #isTwice = false;

  constructor(
    base: StepVectors,
    info: InfoSeries,
    data: readonly Matcher[],
    isInfo: readonly boolean[],
  ) {
    this.#base = base;
    this.#info = info;
    this.#wanted = new Set(data.map(({ name }) => name));
    this.#needsInfo = data.some((matcher) => !matcher.matchesEmpty);
    this.#isInfo = isInfo;
    this.#builder = new VectorBuilder(base.steps, base.labels.length);
  }

  run(): StepVectors {
    const { labels, present, steps } = this.#base;
    const names = [...new Set(this.#info.labels.map((of) => of.get(METRIC_NAME)))];
    const targets = labels.map((of) => names.map((name) => signature(name, of)));
    const signatures = this.#info.labels.map((of) => signature(of.get(METRIC_NAME), of));
    for (let s = 0; s < steps; s++) {
      const newest = this.#newestAt(s, signatures);
      for (let row = 0; row < labels.length; row++) {
        if (present[row * steps + s] === 0) continue;
        if (this.#isInfo[row] === true) this.#add(row, s, labels[row] as Labels);
        else {
          const found = (targets[row] as string[]).flatMap((target) => newest.get(target) ?? []);
          if (found.length === 0 && this.#needsInfo) continue;
          this.#add(row, s, this.#enriched(row, found));
        }
      }
      // compat: what is wrong with single series of a step is told first.
      if (this.#isTwice) refuseTwice();
    }
    return this.#builder.finish();
  }

  #add(row: number, s: number, labels: Labels): void {
    let out = this.#rows.get(labels.key);
    if (out === undefined) {
      out = this.#builder.add(labels, this.#base.dropName[row] as number);
      this.#rows.set(labels.key, out);
    }
    if (this.#builder.has(out, s)) this.#isTwice = true;
    else this.#builder.copy(out, s, this.#base, row * this.#base.steps + s);
  }

  /** The info series of each signature whose sample at a step is the newest. */
  #newestAt(s: number, signatures: readonly string[]): Map<string, number> {
    const { labels, times } = this.#info;
    const { steps } = this.#base;
    const newest = new Map<string, number>();
    for (const [row, key] of signatures.entries()) {
      const time = times[row * steps + s] as number;
      if (Number.isNaN(time)) continue;
      const other = newest.get(key);
      const otherTime = other === undefined ? -Infinity : (times[other * steps + s] as number);
      if (other !== undefined && otherTime === time) {
        const [existing, more] = [labels[other] as Labels, labels[row] as Labels].map(printLabels);
        throw new CodedError(
          'execution',
          `found duplicate series for info metric: existing ${existing} @ ${time}, new ${more} @ ${time}`,
        );
      }
      if (time > otherTime) newest.set(key, row);
    }
    return newest;
  }

  /** The labels of a series with those of its info series; its own come first. */
  #enriched(row: number, found: readonly number[]): Labels {
    const key = `${row} ${found.join(' ')}`;
    const known = this.#labels.get(key);
    if (known !== undefined) return known;
    const own = this.#base.labels[row] as Labels;
    let labels = own;
    const added = new Map<string, string>();
    for (const info of found) {
      for (const [name, value] of this.#info.labels[info] as Labels) {
        if (name === METRIC_NAME || (this.#wanted.size > 0 && !this.#wanted.has(name))) continue;
        if ((added.get(name) ?? value) !== value)
          throw new CodedError('execution', `conflicting label: ${name}`);
        if (own.has(name)) continue;
        added.set(name, value);
        labels = labels.with(name, value);
      }
    }
    this.#labels.set(key, labels);
    return labels;
  }
}

/** What an info series and the series that it describes have in common. */
function signature(name: string, labels: Labels): string {
  return JSON.stringify([name, ...IDENTIFYING.map((label) => labels.get(label))]);
}
