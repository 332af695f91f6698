/**
 * Series descriptions of Prometheus' test language: a metric and a sequence of values.
 *
 *   http_requests{job="api"} 1 2 _ 4+2x3 stale {{schema:0 count:1}}x2
 *
 * A line before it may tell the start timestamps, as durations from the samples' own times:
 *
 *   http_requests{job="api"}@st -1m -2m _ -30s-1mx3
 */
import { parseDuration } from '../../src/lib/duration.ts';
import type { FloatHistogram } from '../../src/model/float-histogram/float-histogram.ts';
import { Labels, METRIC_NAME } from '../../src/model/labels.ts';
import { TokenStream } from '../../src/promql/parse/token-stream.ts';
import { unquote } from '../../src/promql/parse/quote.ts';
import { parseFloatText, parseHistogram } from './promqltest-histogram.ts';
import { addHistogram } from './promqltest-sequence.ts';

/** One value of a sequence. */
export type SequenceValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'histogram';
      readonly histogram: FloatHistogram;
      /** Whether the counter reset hint was written, so that an expectation includes it. */
      readonly hintIsSet: boolean;
    }
  | { readonly kind: 'float'; readonly value: number };

/** A metric and its values. */
export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** A metric and the start timestamps of its samples, ms from the time of each; undefined where there is none. */
export interface StartsDescription {
  readonly labels: Labels;
  readonly starts: readonly (number | undefined)[];
}

/** Reads a description. */
export function parseSeries(line: string): SeriesDescription {
  const { labels, rest } = parseMetric(line);
  return { labels, values: parseValues(rest) };
}

/** Reads a line of start timestamps; undefined when it is something else. */
export function parseStarts(line: string): StartsDescription | undefined {
  const match = /^(\S*)@st\s+(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, metric = '', items = ''] = match;
  const starts = (items.match(/\S+/g) ?? []).flatMap(parseStartItem);
  return { labels: parseMetric(metric).labels, starts };
}

function parseMetric(line: string): { labels: Labels; rest: string } {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0] ?? '';
  const { labels, rest } = parseLabels(line.slice(name.length));
  const pairs = name === '' ? labels : [[METRIC_NAME, name] as [string, string], ...labels];
  return { labels: Labels.fromPairs(pairs), rest };
}

const START = /^([+-]?)(\d+[a-z]*?)(?:([+-])(\d+[a-z]*?))?(?:x(\d+))?$/;

function parseStartItem(item: string): (number | undefined)[] {
  const omitted = parseOmitted(item);
  if (omitted !== undefined) return omitted.map(() => undefined);
  const match = START.exec(item);
  if (match === null) throw new Error(`cannot read the start timestamp "${item}"`);
  const [, sign, first = '', stepSign, step, times = '0'] = match;
  if (step !== undefined && match[5] === undefined) throw new Error(`no repeat count: "${item}"`);
  const base = signed(sign, first);
  const delta = step === undefined ? 0 : signed(stepSign, step);
  return Array.from({ length: Number(times) + 1 }, (_, i) => base + i * delta);
}

function signed(sign: string | undefined, duration: string): number {
  return sign === '-' ? -parseDuration(duration) : parseDuration(duration);
}

function parseLabels(text: string): { labels: [string, string][]; rest: string } {
  const labels: [string, string][] = [];
  if (!text.startsWith('{')) return { labels, rest: text };
  const tokens = new TokenStream(text);
  tokens.take();
  while (!tokens.accept('}')) {
    const label = tokens.take();
    const name = label.kind === 'string' ? (unquote(label.text) ?? '') : label.text;
    if (tokens.accept('=')) labels.push([name, unquote(tokens.expect('string').text) ?? '']);
    else labels.push([METRIC_NAME, name]);
    tokens.accept(',');
  }
  return { labels, rest: text.slice(tokens.end) };
}

const NUMBER = String.raw`(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|nan`;
const VALUE = new RegExp(`^([+-]?(?:${NUMBER}))(?:([+-](?:${NUMBER})))?(?:x(\\d+))?$`, 'i');

function parseValues(text: string): SequenceValue[] {
  const items = text.match(/\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?(?=\s|$)|\S+/g) ?? [];
  return items.flatMap(parseItem);
}

function parseItem(item: string): SequenceValue[] {
  if (item.startsWith('{{')) return parseHistograms(item);
  const omitted = parseOmitted(item);
  if (omitted !== undefined) return omitted;
  const stale = /^stale(?:x(\d+))?$/.exec(item);
  if (stale !== null) return repeat({ kind: 'stale' }, Number(stale[1] ?? 0) + 1);
  const match = VALUE.exec(item);
  if (match === null) throw new Error(`cannot read the series value "${item}"`);
  const [, first = '', step, times] = match;
  let value = parseFloatText(first);
  const increment = step === undefined ? undefined : parseFloatText(step);
  const values: SequenceValue[] = [];
  for (let i = 0; i <= Number(times ?? 0); i++) {
    values.push({ kind: 'float', value });
    if (increment !== undefined) value += increment;
  }
  return values;
}

const HISTOGRAMS = /^(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x(\d+))?$/;

function parseHistograms(item: string): SequenceValue[] {
  const match = HISTOGRAMS.exec(item);
  if (match === null) throw new Error(`cannot read the histograms "${item}"`);
  const [, first = '', sign, step, times] = match;
  const base = parseHistogram(first);
  if (step === undefined) return repeat({ kind: 'histogram', ...base }, Number(times ?? 0) + 1);
  if (times === undefined) throw new Error(`no repeat count: "${item}"`);
  // As in Prometheus, it is the difference that says whether the hint counts.
  const { histogram: difference, hintIsSet } = parseHistogram(step);
  let { histogram } = base;
  const values: SequenceValue[] = [{ kind: 'histogram', histogram, hintIsSet }];
  for (let i = 0; i < Number(times); i++) {
    histogram = addHistogram(histogram, difference, sign === '-' ? -1 : 1);
    values.push({ kind: 'histogram', histogram, hintIsSet });
  }
  return values;
}

/** The values of `_` and `_x3`; undefined for anything else. */
function parseOmitted(item: string): SequenceValue[] | undefined {
  const match = /^_(?:x(\d+))?$/.exec(item);
  return match === null ? undefined : repeat({ kind: 'omitted' }, Number(match[1] ?? 1));
}

function repeat(value: SequenceValue, times: number): SequenceValue[] {
  return Array.from({ length: times }, () => value);
}
