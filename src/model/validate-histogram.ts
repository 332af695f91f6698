/**
 * What a native histogram must be to be stored, in Prometheus' words (model/histogram: Histogram.Validate,
 * FloatHistogram.Validate). Senders see these texts.
 */
import {
  CUSTOM_BUCKETS_SCHEMA,
  EXPONENTIAL_SCHEMA_MAX,
  EXPONENTIAL_SCHEMA_MIN,
} from './histogram.ts';
import type { HistogramColumns, HistogramLayout } from './histogram.ts';

const COUNT_NEGATIVE = 'histogram has a bucket whose observation count is negative';

/** Why the i-th histogram may not be stored; '' when it may. Spans and buckets agree by the columns' nature. */
export function histogramProblem(columns: HistogramColumns, i: number): string {
  const layout = columns.layoutAt(i);
  return (
    layoutProblem(layout, columns, i) ||
    (columns.isFloat[i] === 1
      ? floatProblem(layout, columns, i)
      : integerProblem(layout, columns, i))
  );
}

/** The text when spans describe another number of buckets than there are. */
export function bucketsMismatch(side: string, need: number, have: number): string {
  return `${side}: spans need ${need} buckets, have ${have} buckets: histogram spans specify different number of buckets than provided`;
}

function layoutProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  const { schema } = layout;
  if (schema === CUSTOM_BUCKETS_SCHEMA) return customProblem(layout, columns, i);
  if (schema < EXPONENTIAL_SCHEMA_MIN || schema > EXPONENTIAL_SCHEMA_MAX) {
    return `histogram has an invalid schema, which must be between ${EXPONENTIAL_SCHEMA_MIN} and ${EXPONENTIAL_SCHEMA_MAX} for exponential buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${schema}`;
  }
  return (
    prefixed('positive side', spansProblem(layout.positiveSpans, 1)) ||
    prefixed('negative side', spansProblem(layout.negativeSpans, 1)) ||
    (layout.customValues.length > 0
      ? 'histogram with exponential schema must not have custom bounds'
      : '')
  );
}

function customProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  return (
    prefixed('custom buckets', boundsProblem(layout)) ||
    (columns.zeroCount[i] !== 0 ? 'custom buckets: must have zero count of 0' : '') ||
    (layout.zeroThreshold !== 0 ? 'custom buckets: must have zero threshold of 0' : '') ||
    (layout.negativeSpans.length > 0 ? 'custom buckets: must not have negative spans' : '')
  );
}

/** Bounds ascend, are finite, and are as many as the spans need; no offset is negative, the first one neither. */
function boundsProblem({ customValues, positiveSpans }: HistogramLayout): string {
  let before = -Infinity;
  for (const [n, bound] of customValues.entries()) {
    if (Number.isNaN(bound)) return 'histogram custom bounds must not be NaN';
    if (n > 0 && bound <= before) {
      return `previous bound is ${before.toFixed(6)} and current is ${bound.toFixed(6)}: histogram custom bounds must be in strictly increasing order`;
    }
    before = bound;
  }
  if (before === Infinity) {
    return 'last +Inf bound must not be explicitly defined: histogram custom bounds must be finite';
  }
  let reach = 0;
  for (const part of positiveSpans) reach += part;
  return (
    spansProblem(positiveSpans, 0) ||
    (customValues.length + 1 < reach
      ? `only ${customValues.length} custom bounds defined which is insufficient to cover total span length of ${reach}: histogram custom bounds are too few`
      : '')
  );
}

/** Offsets of the spans from number `first` on must not be negative. */
function spansProblem(spans: Int32Array, first: number): string {
  for (let n = first; n * 2 < spans.length; n++) {
    const offset = spans[n * 2] as number;
    if (offset < 0) {
      return `span number ${n + 1} with offset ${offset}: histogram has a span whose offset is negative`;
    }
  }
  return '';
}

function integerProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  const problem = bucketsProblem(layout, columns, i) || largeProblem(layout, columns, i);
  if (problem !== '') return problem;
  const start = columns.start[i] as number;
  let sum = columns.zeroCount[i] as number;
  for (let k = 0; k < layout.positiveCount + layout.negativeCount; k++)
    sum += columns.buckets[start + k] as number;
  const count = columns.count[i] as number;
  const found = `${sum} observations found in buckets, but the Count field is ${count}`;
  if (Number.isNaN(columns.sum[i])) {
    return sum > count
      ? `${found}: histogram's observation count should be at least the number of observations found in the buckets`
      : '';
  }
  return sum === count
    ? ''
    : `${found}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`;
}

/** compat: counts are doubles here, so integers beyond 2^53 cannot be kept as they are; no real histogram has any. */
function largeProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  const start = columns.start[i] as number;
  const end = start + layout.positiveCount + layout.negativeCount;
  const counts = [columns.count[i] as number, columns.zeroCount[i] as number];
  for (let k = start; k < end; k++) counts.push(columns.buckets[k] as number);
  const large = counts.find((count) => !Number.isSafeInteger(count));
  return large === undefined
    ? ''
    : `histogram has an observation count of ${large}, counts above 2^53 are not supported`;
}

function floatProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  const zero = columns.zeroCount[i] as number;
  const count = columns.count[i] as number;
  return (
    (zero < 0 ? `zero bucket has observation count of ${zero}: ${COUNT_NEGATIVE}` : '') ||
    (count < 0
      ? `observation count is  ${count}: histogram's observation count is negative`
      : '') ||
    bucketsProblem(layout, columns, i)
  );
}

function bucketsProblem(layout: HistogramLayout, columns: HistogramColumns, i: number): string {
  const { positiveCount, negativeCount } = layout;
  const start = columns.start[i] as number;
  return (
    prefixed('negative side', countsProblem(columns, start + positiveCount, negativeCount)) ||
    prefixed('positive side', countsProblem(columns, start, positiveCount))
  );
}

function countsProblem({ buckets }: HistogramColumns, from: number, length: number): string {
  for (let k = 0; k < length; k++) {
    const count = buckets[from + k] as number;
    if (count < 0) {
      return `bucket number ${k + 1} has observation count of ${count}: ${COUNT_NEGATIVE}`;
    }
  }
  return '';
}

function prefixed(side: string, problem: string): string {
  return problem === '' ? '' : `${side}: ${problem}`;
}
