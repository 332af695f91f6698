/**
 * Warnings and infos of a query, in Prometheus' words (util/annotations). Equal texts are kept once; each gets the
 * position of the expression that it is about.
 */
import type { Span } from '../parse/ast.ts';
import { linePosition } from '../parse/parse-error.ts';
import { printGeneral } from '../parse/go-float.ts';
import { quote } from '../parse/quote.ts';
import type { MonotonicityFix } from '../funcs/quantile.ts';

interface Note {
  readonly severity: 'warning' | 'info';
  readonly span: Span;
  readonly text: string;
  /** What is known of buckets that had to be fixed, over all steps. */
  fixes?: Fixes;
}

interface Fixes extends MonotonicityFix {
  readonly minMs: number;
  readonly maxMs: number;
  readonly count: number;
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
    const name = metric === '' ? '' : ` for metric name ${quote(metric)}`;
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
    for (const { severity, text, span, fixes } of this.#notes.values()) {
      const prefix = severity === 'warning' ? 'PromQL warning' : 'PromQL info';
      const detail = fixes === undefined ? '' : describeFixes(fixes);
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
