/**
 * Counters as Go's Thanos querier shows them to its engine: never falling, whatever was there before a reset added to all
 * that comes after, and without NaN (thanos pkg/compact/downsample/downsample.go, ApplyCounterResetsSeriesIterator).
 */
import { FloatColumns } from '../../storage/storage.ts';

/** Whether counters are seen as they are, or as Thanos' querier shows them. */
export type CounterView = 'exact' | 'thanos';

/** Functions whose counters Thanos' querier corrects (pkg/query/querier.go, aggrsFromFunc). */
export const COUNTER_FUNCTIONS: ReadonlySet<string> = new Set([
  'increase',
  'rate',
  'irate',
  'resets',
]);

/**
 * Writes the corrected samples to `into`; what it held is gone. The correction begins with the first sample there is.
 * limit: Thanos begins with the first sample of the chunk in which the range begins, which nobody sees here.
 */
export function correctCounter({ t, v, length }: FloatColumns, into: FloatColumns): void {
  into.length = 0;
  into.reserve(length);
  let total = 0;
  let last = 0;
  for (let i = 0; i < length; i++) {
    const value = v[i] as number;
    if (Number.isNaN(value)) continue;
    if (into.length === 0 || value < last) total += value;
    else total += value - last;
    last = value;
    into.t[into.length] = t[i] as number;
    into.v[into.length++] = total;
  }
}
