/**
 * One window of a series that has native histograms, or start timestamps: what a range function sees of it. Such series are
 * few beside plain float series, whose functions work on whole columns (series-windows.ts).
 */
import type { FloatHistogram } from '../../model/float-histogram/float-histogram.ts';

/** What a range function has to say of a series: plain data, so that it can come from another thread. */
export type RangeNote =
  | 'mixed floats and histograms'
  | 'mixed bucket schemas'
  | 'not a counter'
  | 'not a gauge'
  | 'histograms ignored'
  | 'colliding resets'
  | 'bounds reconciled in addition'
  | 'bounds reconciled in subtraction'
  | 'bounds reconciled in aggregation'
  | 'start times overlap';

/** The samples of one kind: those from `from` to `to` (exclusive) are in the window. */
export interface WindowSamples<V extends ArrayLike<unknown>> {
  /** ms, ascending. */
  readonly t: Float64Array;
  readonly v: V;
  readonly from: number;
  readonly to: number;
  /** Start timestamps, ms, 0 for none; absent when they are not looked at. */
  readonly starts: Float64Array | undefined;
}

/** A sample of either kind. */
export interface AnySample {
  readonly t: number;
  readonly start: number;
  readonly value: number | FloatHistogram;
}

/** A window; valid during the call only. */
export interface MixedWindow {
  readonly floats: WindowSamples<Float64Array>;
  readonly histograms: WindowSamples<readonly FloatHistogram[]>;
  /** The window's end: evaluation time minus offset, ms. */
  readonly end: number;
  /** The width of the range selector, ms. */
  readonly rangeMs: number;
  /** What the function gives for the floats alone; undefined for nothing. */
  readonly ofFloats: number | undefined;
  /** Adds what there is to say, once a series. */
  note(note: RangeNote): void;
}

/** The value of a window; undefined for none. */
export type MixedFunction = (window: MixedWindow) => number | FloatHistogram | undefined;

/** How many samples of a kind are in the window. */
export function countOf({ from, to }: { readonly from: number; readonly to: number }): number {
  return to - from;
}

/**
 * Whether a start timestamp says that a counter began anew between two samples: the sample began behind the one before, or,
 * as a delta does, at its very time. Timestamps that are not before their own sample mean nothing.
 */
export function startsAnew(
  before: { readonly start: number; readonly t: number },
  sample: { readonly start: number; readonly t: number },
): boolean {
  if (sample.start === 0 || sample.start >= sample.t || sample.start < before.t) return false;
  if (sample.start > before.t) return true;
  return before.start !== 0 && before.start < before.t;
}

/** Whether a sample claims to have begun before the one before it ended, without having begun with it. */
export function startsOverlap(
  before: { readonly start: number; readonly t: number },
  start: number,
): boolean {
  return start !== 0 && start < before.t && start !== before.start;
}

/** Time and start of the i-th sample. */
export function startOf(
  { t, starts }: Pick<WindowSamples<ArrayLike<unknown>>, 't' | 'starts'>,
  i: number,
): { readonly start: number; readonly t: number } {
  return { start: starts?.[i] ?? 0, t: t[i] as number };
}
