/** The engine's answers in the form that the naive evaluator gives. */
import { unreachable } from '../../../src/lib/assert.ts';
import type {
  BucketSide,
  FloatHistogram,
} from '../../../src/model/float-histogram/float-histogram.ts';
import type { Labels } from '../../../src/model/labels.ts';
import type { QueryResult } from '../../../src/promql/result.ts';
import type { Answer } from './answer.ts';
import { hintOf } from './histogram-columns.ts';
import type { NaiveHistogram } from './histogram.ts';
import type { LivePoint } from './sample.ts';

/** A result as plain objects. */
export function toAnswer(result: QueryResult): Answer {
  switch (result.type) {
    case 'string':
      return { type: 'string', value: result.v };
    case 'scalar':
      return { type: 'scalar', value: result.v };
    case 'vector': {
      const samples = result.labels.map((labels: Labels, i) => {
        const histogram = result.histograms?.[i];
        const value = histogram === undefined ? (result.v[i] as number) : toNaive(histogram);
        return { labels, value };
      });
      return { type: 'vector', samples };
    }
    case 'matrix':
      return {
        type: 'matrix',
        series: result.labels.map((labels, i) => ({ labels, points: pointsOf(result, i) })),
      };
    default:
      return unreachable(result);
  }
}

/** The samples of a series, of both kinds, in order of time. */
function pointsOf(
  { offsets, t, v, histograms }: Extract<QueryResult, { type: 'matrix' }>,
  i: number,
): LivePoint[] {
  const points: LivePoint[] = [];
  for (let k = offsets[i] as number; k < (offsets[i + 1] as number); k++)
    points.push({ t: t[k] as number, value: v[k] as number });
  for (let k = histograms.offsets[i] ?? 0; k < (histograms.offsets[i + 1] ?? 0); k++) {
    const value = toNaive(histograms.values[k] as FloatHistogram);
    points.push({ t: histograms.t[k] as number, value });
  }
  return points.sort((a, b) => a.t - b.t);
}

function toNaive(histogram: FloatHistogram): NaiveHistogram {
  const { schema, count, sum, zeroThreshold, zeroCount, hint } = histogram;
  return {
    schema,
    hint: hintOf(hint),
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positive: bucketsOf(histogram.positive),
    negative: bucketsOf(histogram.negative),
    bounds: Array.from(histogram.customValues),
  };
}

function bucketsOf({ index, count }: BucketSide): Map<number, number> {
  return new Map(Array.from(index, (at, k) => [at, count[k] as number]));
}
