/** Brings histogram columns that were put together from several sources into order. */
import { HistogramColumns } from './histogram.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from './value.ts';

/** What of the columns is wanted; times in ms, inclusive. */
export interface HistogramSelection {
  readonly mint: number;
  readonly maxt: number;
  readonly dropStale: boolean;
}

/**
 * Replaces the samples of columns by those that are wanted, in order of time, each time once: of two with one time the
 * one that came first stays.
 */
export function orderHistograms(columns: HistogramColumns, selection: HistogramSelection): void {
  const { mint, maxt, dropStale } = selection;
  const { t } = columns;
  const halves = new Uint32Array(columns.sum.buffer, columns.sum.byteOffset, columns.length * 2);
  const kept: number[] = [];
  let ordered = true;
  for (let i = 0; i < columns.length; i++) {
    const time = t[i] as number;
    if (time < mint || time > maxt) continue;
    // compat: as in Prometheus, a stale histogram still takes the place of another one of its time.
    const last = kept.at(-1);
    if (last !== undefined && time <= (t[last] as number)) ordered = false;
    kept.push(i);
  }
  // A stable sort: of equal times the first stays the first.
  if (!ordered) kept.sort((a, b) => (t[a] as number) - (t[b] as number));
  const isStale = (i: number): boolean =>
    halves[2 * i + 1] === STALE_NAN_HI && halves[2 * i] === STALE_NAN_LO;
  const chosen = kept.filter(
    (i, k) => (k === 0 || t[i] !== t[kept[k - 1] as number]) && !(dropStale && isStale(i)),
  );
  if (ordered && chosen.length === columns.length) return;
  const out = new HistogramColumns();
  for (const i of chosen) out.addFrom(columns, i);
  columns.takeOver(out);
}
