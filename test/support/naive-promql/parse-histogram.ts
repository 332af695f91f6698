/** Native histograms as Prometheus' test language writes them, without the braces: `schema:1 count:3 buckets:[1 2]`. */
import type { Hint, NaiveHistogram } from './histogram.ts';

const HINTS: Readonly<Record<string, Hint>> = {
  unknown: 'unknown',
  reset: 'reset',
  not_reset: 'not-reset',
  gauge: 'gauge',
};

function numberOf(text: string): number {
  const infinity = /^([+-]?)inf$/i.exec(text);
  if (infinity !== null) return infinity[1] === '-' ? -Infinity : Infinity;
  return Number(text);
}

/** Reads the fields of a histogram. @throws Error for a field that is none. */
export function parseHistogram(text: string): NaiveHistogram {
  const fields = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/(\w+):\s*(\[[^\]]*\]|[^\s\]]+)/g)) {
    fields.set(name, value);
  }
  const take = (name: string): string => {
    const value = fields.get(name) ?? '';
    fields.delete(name);
    return value;
  };
  const number = (name: string) => numberOf(take(name) || '0');
  const list = (name: string) => (take(name).match(/[^\s[\]]+/g) ?? []).map(numberOf);
  const buckets = (counts: string, offset: string) => {
    const first = number(offset);
    return new Map(list(counts).map((count, i) => [first + i, count]));
  };
  const histogram: NaiveHistogram = {
    schema: number('schema'),
    hint: HINTS[take('counter_reset_hint') || 'unknown'] ?? 'unknown',
    count: number('count'),
    sum: number('sum'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    positive: buckets('buckets', 'offset'),
    negative: buckets('n_buckets', 'n_offset'),
    bounds: list('custom_values'),
  };
  for (const name of fields.keys()) throw new Error(`a histogram has no field ${name}`);
  return histogram;
}
