/** info(): labels of info metrics put onto the series that they belong to. */
import { METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import { Matcher } from '../../../src/model/matcher.ts';
import { children, unwrapParens, type CallExpr, type Expr } from '../../../src/promql/parse/ast.ts';
import { quoteLabels } from './label-text.ts';
import { isInstant, timesOf, withOneDropName, type Evaluation, type Grid } from './query.ts';
import { NaiveError, refuseSameLabels, type Sample, type Vector } from './sample.ts';
import { lastPoint, matchingSeries, pinnedTime } from './select.ts';

/** What a series and its info series share. */
const IDENTIFYING = ['instance', 'job'];

/** info(v) and info(v, {matchers}) at each step. */
export function infoVectors(evaluation: Evaluation, call: CallExpr, grid: Grid): readonly Vector[] {
  const [base, selector] = call.args.map(unwrapParens);
  if (base === undefined) throw new Error('info() has an argument');
  const lookedAt = timeOf(evaluation, base);
  const vectors = evaluation.vectors(base, grid);
  const matchers = selector?.kind === 'selector' ? selector.matchers : [];
  const names = nameMatchers(matchers.filter(({ name }) => name === METRIC_NAME));
  const data = matchers.filter(({ name }) => name !== METRIC_NAME);
  const isInfo = ({ labels }: Sample) => names.every((m) => m.matches(labels.get(METRIC_NAME)));
  const plain = vectors.flat().filter((sample) => !isInfo(sample));
  const series = infoSeries(evaluation, plain, [...names, ...data]);
  const steps = timesOf(grid).map((t, i) => {
    const vector = vectors[i] ?? [];
    if (vector.length === 0) return [];
    const infos = newestInfos(evaluation, series, lookedAt(t));
    const joined = vector.flatMap((sample) =>
      isInfo(sample) ? [sample] : withInfo(sample, infos, data),
    );
    refuseSameLabels(joined);
    return joined;
  });
  return isInstant(grid) ? steps : withOneDropName(steps, 'first');
}

/** Without a matcher that says which, target_info or, when only told which not, all names that end in _info. */
function nameMatchers(given: readonly Matcher[]): readonly Matcher[] {
  if (given.length === 0) return [new Matcher('=', METRIC_NAME, 'target_info')];
  if (given.some(({ type }) => type === '=' || type === '=~')) return given;
  return [new Matcher('=~', METRIC_NAME, '.+_info'), ...given];
}

/** The time at which info series are looked at: that of the first selector of the argument. */
function timeOf(evaluation: Evaluation, base: Expr): (t: number) => number {
  const path = pathToSelector(base);
  let offset = 0;
  for (const expr of path.toReversed()) {
    if (expr.kind !== 'selector' && expr.kind !== 'subquery') continue;
    offset += expr.offsetMs;
    const pinned = pinnedTime(evaluation, expr);
    if (pinned !== undefined) return () => pinned - offset;
  }
  return (t) => t - offset;
}

/** The expressions from one down to the first selector in it. */
function pathToSelector(expr: Expr): readonly Expr[] {
  if (expr.kind === 'selector') return [expr];
  for (const child of children(expr)) {
    const path = pathToSelector(child);
    if (path.length > 0) return [expr, ...path];
  }
  return [];
}

/** The info series that share values of identifying labels with any of the samples. */
function infoSeries(evaluation: Evaluation, samples: Vector, matchers: readonly Matcher[]) {
  const values = IDENTIFYING.map((name) => ({
    name,
    known: new Set(samples.map(({ labels }) => labels.get(name)).filter((value) => value !== '')),
  })).filter(({ known }) => known.size > 0);
  if (values.length === 0) return [];
  return matchingSeries(evaluation, matchers).filter(({ labels }) =>
    values.every(({ name, known }) => known.has(labels.get(name))),
  );
}

interface Info {
  readonly labels: Labels;
  readonly t: number;
}

function identity(labels: Labels): string {
  return labels.keep(new Set(IDENTIFYING)).key;
}

/** By name and identity the labels of the info series that has the newest sample. */
function newestInfos(
  evaluation: Evaluation,
  series: ReturnType<typeof infoSeries>,
  at: number,
): Map<string, Map<string, Info>> {
  const infos = new Map<string, Map<string, Info>>();
  for (const one of series) {
    const { labels } = one;
    const point = lastPoint(evaluation, one, at);
    if (point === undefined) continue;
    if (typeof point.value !== 'number') {
      const text = quoteLabels(labels);
      throw new NaiveError(`this should be an info metric, with float samples: ${text}`);
    }
    const name = labels.get(METRIC_NAME);
    const byIdentity = infos.get(name) ?? new Map<string, Info>();
    infos.set(name, byIdentity);
    const other = byIdentity.get(identity(labels));
    if (other?.t === point.t) {
      throw new NaiveError(
        `found duplicate series for info metric: existing ${quoteLabels(other.labels)} @ ${other.t}, ` +
          `new ${quoteLabels(labels)} @ ${point.t}`,
      );
    }
    if (other === undefined || other.t < point.t) {
      byIdentity.set(identity(labels), { labels, t: point.t });
    }
  }
  return infos;
}

/** The sample with the labels of its info series; none when a matcher wants one and there is none. */
function withInfo(
  sample: Sample,
  infos: ReadonlyMap<string, ReadonlyMap<string, Info>>,
  data: readonly Matcher[],
): readonly Sample[] {
  const key = identity(sample.labels);
  const found = [...infos.values()].map((byIdentity) => byIdentity.get(key));
  const wanted = new Set(data.map(({ name }) => name));
  const added = new Map<string, string>();
  let isMatched = false;
  for (const info of found) {
    if (info === undefined) continue;
    isMatched = true;
    for (const [name, value] of info.labels) {
      if (name === METRIC_NAME || (data.length > 0 && !wanted.has(name))) continue;
      if ((added.get(name) ?? value) !== value) throw new NaiveError(`conflicting label: ${name}`);
      if (!sample.labels.has(name)) added.set(name, value);
    }
  }
  if (!isMatched && data.some((m) => !m.matches(''))) return [];
  let { labels } = sample;
  for (const [name, value] of added) labels = labels.with(name, value);
  return [{ ...sample, labels }];
}
