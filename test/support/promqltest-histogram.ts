/**
 * Histograms of Prometheus' test language:
 *
 *   {{schema:1 count:3 sum:4.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:1 counter_reset_hint:gauge}}
 */
import {
  NO_BUCKETS,
  type BucketSide,
  type FloatHistogram,
} from '../../src/model/float-histogram/float-histogram.ts';
import { RESET_HINT } from '../../src/model/histogram.ts';

/** A histogram as it was written. */
export interface WrittenHistogram {
  readonly histogram: FloatHistogram;
  /** Whether the text names a counter reset hint: one that is expected has to be met then. */
  readonly hintIsSet: boolean;
}

const HINTS: ReadonlyMap<string, number> = new Map([
  ['unknown', RESET_HINT.unknown],
  ['reset', RESET_HINT.reset],
  ['not_reset', RESET_HINT.notReset],
  ['gauge', RESET_HINT.gauge],
]);

const KEYS: ReadonlySet<string> = new Set([
  'schema',
  'count',
  'sum',
  'z_bucket',
  'z_bucket_w',
  'custom_values',
  'counter_reset_hint',
  'buckets',
  'offset',
  'n_buckets',
  'n_offset',
]);

/** Reads a description with its braces. @throws Error when it is none. */
export function parseHistogram(text: string): WrittenHistogram {
  const fields = fieldsOf(text);
  const number = (key: string): number => parseFloatText(fields.get(key) ?? '0');
  const hint = fields.get('counter_reset_hint');
  const histogram = {
    schema: integerOf(fields.get('schema')),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    hint: hintOf(hint ?? 'unknown'),
    positive: sideOf(fields.get('buckets'), fields.get('offset')),
    negative: sideOf(fields.get('n_buckets'), fields.get('n_offset')),
    customValues: numbersOf(fields.get('custom_values')),
  };
  return { histogram, hintIsSet: hint !== undefined };
}

function fieldsOf(text: string): Map<string, string> {
  const body = /^\{\{(.*)\}\}$/.exec(text)?.[1];
  if (body === undefined) throw new Error(`no histogram: ${text}`);
  const fields = new Map<string, string>();
  const rest = body.replaceAll(/(\w+):(\[[^\]]*\]|[^\s[]+)(?=\s|$)/g, (_, key: string, value) => {
    if (!KEYS.has(key)) throw new Error(`unknown key "${key}" in ${text}`);
    if (fields.has(key)) throw new Error(`duplicate key "${key}" in ${text}`);
    fields.set(key, String(value));
    return '';
  });
  if (rest.trim() !== '') throw new Error(`cannot read "${rest.trim()}" in ${text}`);
  return fields;
}

function hintOf(text: string): number {
  const hint = HINTS.get(text);
  if (hint === undefined) throw new Error(`unknown counter reset hint "${text}"`);
  return hint;
}

function integerOf(text = '0'): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`"${text}" is no integer`);
  return Number(text);
}

function numbersOf(text = '[]'): Float64Array {
  const body = /^\[(.*)\]$/.exec(text)?.[1];
  if (body === undefined) throw new Error(`"${text}" is no list of numbers`);
  return Float64Array.from(body.match(/\S+/g) ?? [], parseFloatText);
}

function sideOf(buckets: string | undefined, offset: string | undefined): BucketSide {
  const count = numbersOf(buckets);
  const first = integerOf(offset);
  if (count.length === 0) return NO_BUCKETS;
  return { index: Int32Array.from(count, (_, i) => first + i), count };
}

/** A number as Go reads it: Inf and NaN in any case. @throws Error when it is none. */
export function parseFloatText(text: string): number {
  const plain = text.toLowerCase().replace(/^\+/, '');
  if (plain === 'nan') return NaN;
  if (plain === 'inf') return Infinity;
  const value = plain === '-inf' ? -Infinity : Number(plain.replaceAll('_', ''));
  if (plain === '' || Number.isNaN(value)) throw new Error(`"${text}" is no number`);
  return value;
}

/** A histogram for messages, written as above; buckets are listed with their indexes, because they may have gaps. */
export function histogramText(histogram: FloatHistogram): string {
  const { schema, count, sum, zeroCount, zeroThreshold, customValues, hint } = histogram;
  const side = ({ index, count: counts }: BucketSide): string =>
    Array.from(index, (at, i) => `${at}=${counts[i]}`).join(' ');
  const hintName = [...HINTS].find(([, value]) => value === hint)?.[0];
  const custom = customValues.length > 0 ? ` custom_values:[${customValues.join(' ')}]` : '';
  const zero = `z_bucket:${zeroCount} z_bucket_w:${zeroThreshold}`;
  const sides = `buckets:[${side(histogram.positive)}] n_buckets:[${side(histogram.negative)}]`;
  return `{{schema:${schema} count:${count} sum:${sum} ${zero} ${sides}${custom} counter_reset_hint:${hintName}}}`;
}
