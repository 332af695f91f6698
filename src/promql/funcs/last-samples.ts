/** What instant selectors see: the newest sample of each step. */
import { isStaleAt, type FloatColumns } from '../../storage/storage.ts';

/** Where the newest samples of all steps go. */
interface LastSamples {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** The times of the samples, stale markers included; -Infinity where there is none. */
  readonly times: Float64Array | undefined;
}

/** Which samples are wanted. */
export interface LastSpec {
  /** value, timestamp or start_timestamp. */
  readonly func: string;
  readonly steps: number;
  readonly refStartMs: number;
  readonly refStepMs: number;
  readonly lookbackMs: number;
}

/** The last sample of each step within the lookback, unless it is a stale marker; for start_timestamp, its number. */
export function lastSamples(
  columns: FloatColumns,
  { func, steps, refStartMs, refStepMs, lookbackMs }: LastSpec,
  { values, present, times }: LastSamples,
): number {
  const { t, v, length } = columns;
  const halves = new Uint32Array(v.buffer, v.byteOffset, length * 2);
  const wantTime = func === 'timestamp';
  const wantNumber = func === 'start_timestamp';
  let h = 0;
  let found = 0;
  for (let s = 0; s < steps; s++) {
    const ref = refStartMs + s * refStepMs;
    while (h < length && (t[h] as number) <= ref) h++;
    const last = h - 1;
    const isThere = last >= 0 && (t[last] as number) > ref - lookbackMs;
    if (times !== undefined) times[s] = isThere ? (t[last] as number) : -Infinity;
    if (!isThere || isStaleAt(halves, last)) {
      present[s] = 0;
      continue;
    }
    if (wantNumber) values[s] = last;
    else values[s] = wantTime ? (t[last] as number) / 1000 : (v[last] as number);
    present[s] = 1;
    found++;
  }
  return found;
}
