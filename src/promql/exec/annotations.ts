/**
 * Warnings and infos of a query, in Prometheus' words (util/annotations). Equal texts are kept once; each gets the
 * position of the expression that it is about.
 */
import type { Span } from '../parse/ast.ts';
import { linePosition } from '../parse/parse-error.ts';
import { printGeneral } from '../parse/go-float.ts';
import { quote } from '../parse/quote.ts';
import { unreachable } from '../../lib/assert.ts';
import type { RangeNote } from '../funcs/mixed-window.ts';
import type { MonotonicityFix } from '../funcs/classic-quantile.ts';

interface Note {
  readonly severity: 'warning' | 'info';
  readonly span: Span;
  readonly text: string;
  /** What is known of buckets that had to be fixed, over all steps. */
  fixes?: Fixes;
  /** How often it was said, for what says so. */
  times?: number;
}

interface Fixes extends MonotonicityFix {
  readonly minMs: number;
  readonly maxMs: number;
  readonly count: number;
}

/** What histograms were in when there was something to say. */
export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation';

function forMetric(metric: string): string {
  return metric === '' ? '' : ` for metric name ${quote(metric)}`;
}

/** The annotations of one query. */
export class Annotations {
  readonly #notes = new Map<string, Note>();

  #add(severity: 'warning' | 'info', text: string, span: Span): Note {
    const note: Note = { severity, span, text };
    this.#notes.set(text, note);
    return note;
  }

  /** A rate of something that is not named as a counter. */
  possibleNonCounter(metric: string, span: Span): void {
    this.#add(
      'info',
      `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(metric)}`,
      span,
    );
  }

  /** A rate of something that is not typed as a counter. */
  possibleNonCounterType(metric: string, type: string, span: Span): void {
    this.#add(
      'info',
      `metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${quote(type)}: ${quote(metric)}`,
      span,
    );
  }

  /** A quantile outside 0…1. */
  invalidQuantile(q: number, span: Span): void {
    const got = printGeneral(q);
    this.#add('warning', `quantile value should be between 0 and 1, got ${got}`, span);
  }

  /** A bucket whose `le` is no number. */
  badBucketLabel(metric: string, value: string, span: Span): void {
    const name = forMetric(metric);
    this.#add(
      'warning',
      `bucket label "le" is missing or has a malformed value of ${quote(value)}${name}`,
      span,
    );
  }

  /** sort() in a range query. */
  sortInRange(span: Span): void {
    this.#add(
      'warning',
      'sort is ineffective for range queries since results are always ordered by labels',
      span,
    );
  }

  /** A ratio outside -1…1. */
  invalidRatio(ratio: number, used: number, span: Span): void {
    const [got, to] = [printGeneral(ratio), printGeneral(used)];
    this.#add(
      'warning',
      `ratio value should be between -1 and 1, got ${got}, capping to ${to}`,
      span,
    );
  }

  /** A window of a series with numbers and native histograms. */
  mixedRange(metric: string, span: Span): void {
    const text = `encountered a mix of histograms and floats for metric name ${quote(metric)}`;
    this.#add('warning', text, span);
  }

  /** A group with numbers and native histograms. */
  mixedAggregation(span: Span): void {
    this.#add('warning', 'encountered a mix of histograms and floats for aggregation', span);
  }

  /** Classic and native histograms of one name and labels. */
  mixedClassicNative(metric: string, span: Span): void {
    const text = `vector contains a mix of classic and native histograms${forMetric(metric)}`;
    this.#add('warning', text, span);
  }

  /** A function of counters over gauges. */
  notCounter(metric: string, span: Span): void {
    const text = `this native histogram metric is not a counter: ${quote(metric)}`;
    this.#add('warning', text, span);
  }

  /** A function of gauges over counters. */
  notGauge(metric: string, span: Span): void {
    const text = `this native histogram metric is not a gauge: ${quote(metric)}`;
    this.#add('warning', text, span);
  }

  /** Exponential and custom buckets together. */
  mixedSchemas(metric: string, span: Span): void {
    const text = `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metric)}`;
    this.#add('warning', text, span);
  }

  /** The same between the sides of an operator. */
  incompatibleBuckets(operator: string, span: Span): void {
    const text = `incompatible bucket layout encountered for binary operator ${operator}`;
    this.#add('warning', text, span);
  }

  /** An operator that does not know what to do with its sides. */
  incompatibleTypes(
    sides: { readonly left: string; readonly operator: string; readonly right: string },
    span: Span,
  ): void {
    const { left, operator, right } = sides;
    const text = `incompatible sample types encountered for binary operator ${quote(operator)}: ${left} ${operator} ${right}`;
    this.#add('info', text, span);
  }

  /** An aggregation of numbers passed over native histograms. */
  ignoredInAggregation(aggregation: string, span: Span): void {
    this.#add('info', `ignored histogram in ${aggregation} aggregation`, span);
  }

  /** A range function of numbers passed over native histograms. */
  ignoredInRange(metric: string, span: Span): void {
    const text = `ignored histograms in a range containing both floats and histograms for metric name ${quote(metric)}`;
    this.#add('info', text, span);
  }

  /** Observations that are NaN and what they did. */
  nanObservations(effect: 'result' | 'skew' | 'excluded', metric: string, span: Span): void {
    const texts = {
      result: 'input to histogram_quantile has NaN observations, result is NaN',
      skew: 'input to histogram_quantile has NaN observations, result is skewed higher',
      excluded:
        'input to histogram_fraction has NaN observations, which are excluded from all fractions',
    };
    this.#add('info', texts[effect] + forMetric(metric), span);
  }

  /** One counter was reset and another one was not. */
  collidingResets(operation: HistogramOperation, span: Span): void {
    this.#add('warning', `conflicting counter resets during histogram ${operation}`, span);
  }

  /** Custom bounds differed. */
  boundsReconciled(operation: HistogramOperation, span: Span): void {
    this.#add('info', `mismatched custom buckets were reconciled during ${operation}`, span);
  }

  /** A sample that claims to have begun before the one before it ended. */
  startsOverlap(metric: string, span: Span): void {
    const text = `sample has start time that overlaps with previous sample timestamp for metric ${quote(metric)}`;
    const times = (this.#notes.get(text)?.times ?? 0) + 1;
    this.#add('warning', text, span).times = times;
  }

  /** What a range function said of a series. */
  ofSeries(note: RangeNote, metric: string, span: Span): void {
    switch (note) {
      case 'mixed floats and histograms':
        return this.mixedRange(metric, span);
      case 'mixed bucket schemas':
        return this.mixedSchemas(metric, span);
      case 'not a counter':
        return this.notCounter(metric, span);
      case 'not a gauge':
        return this.notGauge(metric, span);
      case 'histograms ignored':
        return this.ignoredInRange(metric, span);
      case 'colliding resets':
        return this.collidingResets('aggregation', span);
      case 'bounds reconciled in addition':
        return this.boundsReconciled('addition', span);
      case 'bounds reconciled in subtraction':
        return this.boundsReconciled('subtraction', span);
      case 'bounds reconciled in aggregation':
        return this.boundsReconciled('aggregation', span);
      case 'start times overlap':
        return this.startsOverlap(metric, span);
      default:
        return unreachable(note);
    }
  }

  /** Buckets whose counts fell had to be fixed at a time. */
  forcedMonotonicity(metric: string, fix: MonotonicityFix, timeMs: number, span: Span): void {
    const name = metric === '' ? '' : ` for metric name ${quote(metric)}`;
    const text =
      'input to histogram_quantile needed to be fixed for monotonicity (see ' +
      `https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)${name}`;
    const before = this.#notes.get(text)?.fixes;
    const note = this.#add('info', text, span);
    note.fixes = {
      minBound: Math.min(before?.minBound ?? Infinity, fix.minBound),
      maxBound: Math.max(before?.maxBound ?? -Infinity, fix.maxBound),
      maxDiff: Math.max(before?.maxDiff ?? 0, fix.maxDiff),
      minMs: Math.min(before?.minMs ?? Infinity, timeMs),
      maxMs: Math.max(before?.maxMs ?? -Infinity, timeMs),
      count: (before?.count ?? 0) + 1,
    };
  }

  /** The texts with their positions in the query. */
  texts(query: string): { warnings: string[]; infos: string[] } {
    const warnings: string[] = [];
    const infos: string[] = [];
    for (const { severity, text, span, fixes, times = 1 } of this.#notes.values()) {
      const prefix = severity === 'warning' ? 'PromQL warning' : 'PromQL info';
      const often = times > 1 ? ` (${times} occurrences)` : '';
      const detail = fixes === undefined ? often : describeFixes(fixes);
      const line = `${prefix}: ${text}${detail} (${linePosition(query, span.start)})`;
      (severity === 'warning' ? warnings : infos).push(line);
    }
    return { warnings, infos };
  }
}

function describeFixes({ minBound, maxBound, maxDiff, count, minMs, maxMs }: Fixes): string {
  const from = printGeneral(minBound);
  const to = printGeneral(maxBound);
  const samples = `over ${count} samples from ${rfc3339(minMs)} to ${rfc3339(maxMs)}`;
  return `, from buckets ${from} to ${to}, with a max diff of ${twoDigits(maxDiff)}, ${samples}`;
}

function rfc3339(ms: number): string {
  return `${new Date(Math.trunc(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Go's %.2g. */
function twoDigits(value: number): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(Number(value.toPrecision(2)))));
  if (exponent >= -4 && exponent < 2) return String(Number(value.toPrecision(2)));
  const [mantissa = '', power = ''] = value.toExponential(1).split('e');
  const digits = power.slice(1).padStart(2, '0');
  return `${mantissa.replace(/\.0$/, '')}e${power.startsWith('-') ? '-' : '+'}${digits}`;
}
