/** One value from the samples of a group at one step. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { AggregateOp } from '../../../src/promql/parse/token.ts';
import { meanOf } from './float-windows.ts';
import { meanHistogram, sumHistograms, whenCompatible } from './histogram-arithmetic.ts';
import { compact } from './histogram-buckets.ts';
import { kahanAdd } from './kahan.ts';
import { quantileOf } from './quantile.ts';
import { Unspecified, type Sample, type Value } from './sample.ts';

/** The value of a group of at least one sample; undefined when there is none. */
export function aggregateGroup(
  op: AggregateOp,
  members: readonly Sample[],
  param: number,
): Value | undefined {
  if (op === 'count') return members.length;
  if (op === 'group') return 1;
  if (op === 'sum' || op === 'avg') return total(op, members);
  const floats = members.map(({ value }) => value).filter((value) => typeof value === 'number');
  if (floats.length === 0) return undefined;
  switch (op) {
    case 'min':
      return floats.reduce((best, v) => (best > v || Number.isNaN(best) ? v : best));
    case 'max':
      return floats.reduce((best, v) => (best < v || Number.isNaN(best) ? v : best));
    case 'stdvar':
      return varianceOf(floats);
    case 'stddev':
      return Math.sqrt(varianceOf(floats));
    case 'quantile':
      return quantileOf(param, floats);
    case 'topk':
    case 'bottomk':
    case 'limitk':
    case 'limit_ratio':
    case 'count_values':
      throw new Error(`${op} does not give one value a group`);
    default:
      return unreachable(op);
  }
}

/** The sum or mean of floats, or of histograms; of both there is none. */
function total(op: 'sum' | 'avg', members: readonly Sample[]): Value | undefined {
  const values = members.map(({ value }) => value);
  const floats = values.filter((value) => typeof value === 'number');
  if (floats.length === values.length) {
    refuseOverflowHalfway(floats);
    return op === 'sum' ? sumOf(floats) : meanOf(floats);
  }
  const histograms = values.filter((value) => typeof value !== 'number');
  if (histograms.length < values.length) return undefined;
  const combine = op === 'sum' ? sumHistograms : meanHistogram;
  return whenCompatible(() => compact(combine(histograms)));
}

/** In one order such a sum is infinite before it comes back, in another it never leaves. The order of series is open. */
function refuseOverflowHalfway(floats: readonly number[]): void {
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const [up, down] = [floats.filter((v) => v > 0), floats.filter((v) => v < 0)].map(add);
  const both = up !== 0 && down !== 0;
  if (both && floats.every(Number.isFinite) && !Number.isFinite((up ?? 0) - (down ?? 0))) {
    throw new Unspecified('whether a sum overflows on its way');
  }
}

function sumOf([first = NaN, ...rest]: readonly number[]): number {
  let state: [number, number] = [first, 0];
  for (const value of rest) state = kahanAdd(value, state);
  return state[0] + state[1];
}

/** Welford's algorithm, without compensation. */
function varianceOf([first = NaN, ...rest]: readonly number[]): number {
  let mean = first;
  let squares = Number.isFinite(first) ? 0 : NaN;
  let count = 1;
  for (const value of rest) {
    count++;
    const delta = value - mean;
    mean += delta / count;
    squares += delta * (value - mean);
  }
  return squares / count;
}
