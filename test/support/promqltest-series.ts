/**
 * Series descriptions of Prometheus' test language: a metric and a sequence of values.
 *
 *   http_requests{job="api"} 1 2 _ 4+2x3 stale {{schema:0 count:1}}x2
 *
 * Histograms are recognised but not kept: what holds one is marked, because the engine has only floats so far.
 */
import { Labels, METRIC_NAME } from '../../src/model/labels.ts';
import { TokenStream } from '../../src/promql/parse/token-stream.ts';
import { unquote } from '../../src/promql/parse/quote.ts';

/** One value of a sequence. */
export type SequenceValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'histogram' }
  | { readonly kind: 'float'; readonly value: number };

/** A metric and its values. */
export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** Reads a description. */
export function parseSeries(line: string): SeriesDescription {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0] ?? '';
  const { labels, rest } = parseLabels(line.slice(name.length));
  const pairs = name === '' ? labels : [[METRIC_NAME, name] as [string, string], ...labels];
  return { labels: Labels.fromPairs(pairs), values: parseValues(rest) };
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
  const items = text.match(/\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?|\S+/g) ?? [];
  return items.flatMap(parseItem);
}

function parseItem(item: string): SequenceValue[] {
  const omitted = /^_(?:x(\d+))?$/.exec(item);
  if (omitted !== null) return repeat({ kind: 'omitted' }, Number(omitted[1] ?? 1));
  if (item.startsWith('{{')) {
    const times = /x(\d+)$/.exec(item)?.[1];
    return repeat({ kind: 'histogram' }, times === undefined ? 1 : Number(times) + 1);
  }
  const stale = /^stale(?:x(\d+))?$/.exec(item);
  if (stale !== null) {
    return repeat({ kind: 'stale' }, stale[1] === undefined ? 1 : Number(stale[1]) + 1);
  }
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

function repeat(value: SequenceValue, times: number): SequenceValue[] {
  return Array.from({ length: times }, () => value);
}

/** A number as Go reads it: Inf and NaN in any case. */
export function parseFloatText(text: string): number {
  const plain = text.toLowerCase().replace(/^\+/, '');
  if (plain === 'inf') return Infinity;
  return plain === '-inf' ? -Infinity : Number(plain.replaceAll('_', ''));
}
