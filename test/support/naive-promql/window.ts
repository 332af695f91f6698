/** What range functions see: the samples of one series in the range before one step. */
import type { Labels } from '../../../src/model/labels.ts';
import type { LivePoint } from './sample.ts';

/** The samples with start < t <= end; anchored and smoothed ranges have some around them, too. Times in ms. */
export interface Window {
  /** The evaluation time. */
  readonly t: number;
  readonly start: number;
  readonly end: number;
  readonly points: readonly LivePoint[];
}

/** A series of a range vector. */
export interface RangeRow {
  readonly labels: Labels;
  readonly dropName: boolean;
  /** One a step. */
  readonly windows: readonly Window[];
}
