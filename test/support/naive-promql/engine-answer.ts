/** The engine's answers in the form that the naive evaluator gives. */
import { unreachable } from '../../../src/lib/assert.ts';
import type { Labels } from '../../../src/model/labels.ts';
import type { QueryResult } from '../../../src/promql/result.ts';
import type { Answer } from './answer.ts';

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
