/** The engine's answers in the form that the naive evaluator gives. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { Labels } from '../../../src/model/labels.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../../src/model/value.ts';
import type { QueryResult } from '../../../src/promql/result.ts';
import { MemoryStorage } from '../memory-storage.ts';
import type { Answer } from './answer.ts';
import type { NaiveSeries } from './sample.ts';

/** Puts the floats of series into a storage. */
export function fillStorage(storage: MemoryStorage, series: readonly NaiveSeries[]): void {
  for (const { labels, points } of series) {
    const t = Float64Array.from(points, (point) => point.t);
    const v = new Float64Array(points.length);
    const halves = new Uint32Array(v.buffer);
    for (const [i, { value }] of points.entries()) {
      if (typeof value === 'number') v[i] = value;
      else halves.set([STALE_NAN_LO, STALE_NAN_HI], 2 * i);
    }
    storage.append(labels, t, v);
  }
}

/** A result as plain objects. */
export function toAnswer(result: QueryResult): Answer {
  switch (result.type) {
    case 'string':
      return { type: 'string', value: result.v };
    case 'scalar':
      return { type: 'scalar', value: result.v };
    case 'vector': {
      const samples = result.labels.map((labels: Labels, i) => ({
        labels,
        value: result.v[i] as number,
      }));
      return { type: 'vector', samples };
    }
    case 'matrix': {
      const series = result.labels.map((labels, i) => {
        const [from, to] = [result.offsets[i] as number, result.offsets[i + 1] as number];
        const times = Array.from(result.t.subarray(from, to));
        return {
          labels,
          points: times.map((t, k) => ({ t, value: result.v[from + k] as number })),
        };
      });
      return { type: 'matrix', series };
    }
    default:
      return unreachable(result);
  }
}
