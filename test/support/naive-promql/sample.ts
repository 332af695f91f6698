/**
 * The values of the naive evaluator: plain objects, one a sample. It exists to disagree with the engine when the
 * engine is wrong, so it shares nothing with it but the syntax tree, labels and matchers.
 */
import { METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import type { NaiveHistogram } from './histogram.ts';

/** A float or a native histogram. */
export type Value = number | NaiveHistogram;

/** A sample of a series; a stale marker says that the series ended. */
export interface Point {
  /** ms. */
  readonly t: number;
  readonly value: Value | 'stale';
}

/** A series as it is stored, its points in order of time. */
export interface NaiveSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

/** A sample of a range vector: never stale. */
export interface LivePoint {
  readonly t: number;
  readonly value: Value;
}

/** A sample of an instant vector. */
export interface Sample {
  readonly labels: Labels;
  readonly value: Value;
  /** Whether the metric's name goes at the end of the query, when names go only then. */
  readonly dropName: boolean;
}

/** An instant vector: what an expression is at one step. */
export type Vector = readonly Sample[];

/** The query fails, with Prometheus' text. */
export class NaiveError extends Error {}

/** Prometheus leaves open which of several answers it gives: there is nothing to compare with. */
export class Unspecified extends Error {}

/** What Prometheus says of two samples with the same labels. */
export const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

const METADATA: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);

/** The labels of what is no longer the metric that it was computed from. */
export function dropMetadata(labels: Labels): Labels {
  return labels.drop(METADATA);
}

/** @throws NaiveError when two samples have the same labels. */
export function refuseSameLabels(vector: Iterable<{ readonly labels: Labels }>): void {
  const seen = new Set<string>();
  for (const { labels } of vector) {
    if (seen.has(labels.key)) throw new NaiveError(SAME_LABELS);
    seen.add(labels.key);
  }
}
