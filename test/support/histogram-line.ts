/** Native histograms as one line of text each, so that those of two programs can be compared and printed. */
import type { HistogramColumns } from '../../src/model/histogram.ts';
import type { TestHistogram } from './write-request.ts';

/** What is known of a histogram: buckets are [index, absolute count], in order of their index. */
export interface LineHistogram {
  readonly isFloat: boolean;
  readonly schema: number;
  /** As text: a stale sum has bits of its own. */
  readonly sum: string;
  readonly count: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly positive: readonly (readonly [number, number])[];
  readonly negative: readonly (readonly [number, number])[];
  readonly customValues: readonly number[];
}

/**
 * The line, as in `{sum=12 int count=3 schema=0 zero=1@0.001 +[2:1 3:1] -[]}`. Empty buckets are left out, and so are
 * counter reset hints, which depend on where a chunk begins.
 */
export function histogramLine(one: LineHistogram): string {
  const list = (buckets: LineHistogram['positive']): string =>
    buckets
      .filter(([, count]) => count !== 0)
      .map(([index, count]) => `${index}:${count}`)
      .join(' ');
  const custom = one.customValues.length > 0 ? ` bounds=${one.customValues.join(',')}` : '';
  const kind = one.isFloat ? 'float' : 'int';
  const zero = `${one.zeroCount}@${one.zeroThreshold}`;
  return `{sum=${one.sum} ${kind} count=${one.count} schema=${one.schema} zero=${zero} +[${list(one.positive)}] -[${list(one.negative)}]${custom}}`;
}

/** The sum that a line tells; NaN for what is no line. */
export function sumOfLine(line: string): number {
  return Number(/^\{sum=(\S+) /.exec(line)?.[1] ?? NaN);
}

/** A value as text: those that are not numbers by their bits. */
export function valueText(columns: Float64Array, i: number): string {
  const value = columns[i] as number;
  if (Object.is(value, -0)) return '-0';
  if (!Number.isNaN(value)) return String(value);
  const [low = 0, high = 0] = new Uint32Array(columns.buffer, columns.byteOffset + i * 8, 2);
  return `NaN:${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

/** The i-th histogram of columns. */
export function lineOfColumns(columns: HistogramColumns, i: number): string {
  const layout = columns.layoutAt(i);
  const start = columns.start[i] as number;
  const absolute = (at: number, count: number): number[] => [
    ...columns.buckets.subarray(at, at + count),
  ];
  const { positiveCount, negativeCount } = layout;
  return histogramLine({
    isFloat: columns.isFloat[i] === 1,
    schema: layout.schema,
    sum: valueText(columns.sum, i),
    count: columns.count[i] as number,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: columns.zeroCount[i] as number,
    positive: spread([...layout.positiveSpans], absolute(start, positiveCount)),
    negative: spread([...layout.negativeSpans], absolute(start + positiveCount, negativeCount)),
    customValues: [...layout.customValues],
  });
}

/** A histogram of a write request. */
export function lineOfTest(one: TestHistogram): string {
  return histogramLine({
    isFloat: one.isFloat,
    schema: one.schema,
    sum: String(one.sum),
    count: one.buckets.reduce((sum, bucket) => sum + bucket, one.zeroCount),
    zeroThreshold: one.schema === -53 ? 0 : 0.001,
    zeroCount: one.zeroCount,
    positive: spread(one.spans, one.buckets),
    negative: [],
    customValues: one.customValues ?? [],
  });
}

/** Gives counts their indexes: spans are offset and length, in turn. */
export function spread(spans: readonly number[], counts: readonly number[]): [number, number][] {
  const out: [number, number][] = [];
  let index = 0;
  let at = 0;
  for (let s = 0; s < spans.length; s += 2) {
    index += spans[s] as number;
    for (let left = spans[s + 1] as number; left > 0; left--)
      out.push([index++, counts[at++] as number]);
  }
  return out;
}
