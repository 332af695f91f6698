/**
 * PromQL results as the `data` member of an answer: `{"resultType":…,"result":…}`. Behaviour: prometheus
 * web/api/v1/json_codec.go.
 */
import { listBuckets } from '../model/float-histogram/bucket-bounds.ts';
import type { FloatHistogram } from '../model/float-histogram/float-histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { MatrixResult, ScalarResult, StringResult, VectorResult } from '../promql/result.ts';
import { JsonPieces } from './json-pieces.ts';

/** A result of any type; its warnings and statistics are not part of the data. */
export type ResultData = MatrixResult | VectorResult | ScalarResult | StringResult;

/** Members beside a result: JSON, in ASCII. */
export interface ResultMembers {
  readonly stats?: string | undefined;
  readonly analysis?: string | undefined;
}

/**
 * The bytes of a result's `data` member, in pieces that the caller owns. With a limit, only so many series are
 * written; the caller adds the warning when there are more.
 */
export function encodeResult(
  result: ResultData,
  limit = Infinity,
  members: ResultMembers = {},
): Uint8Array[] {
  const out = new JsonPieces();
  out.raw(headOf(result));
  switch (result.type) {
    case 'matrix':
      encodeMatrix(out, result, Math.min(limit, result.labels.length));
      break;
    case 'vector':
      encodeVector(out, result, Math.min(limit, result.labels.length));
      break;
    case 'scalar':
      out.timestamp(result.t);
      out.raw(',');
      out.float(result.v);
      break;
    case 'string':
      out.timestamp(result.t);
      out.raw(',');
      out.string(result.v);
      break;
  }
  out.raw(tailOf(members));
  return out.finish();
}

function headOf({ type }: ResultData): string {
  return `{"resultType":"${type}","result":[`;
}

function tailOf({ stats, analysis }: ResultMembers): string {
  const shown = stats === undefined ? '' : `,"stats":${stats}`;
  const analyzed = analysis === undefined ? '' : `,"analysis":${analysis}`;
  return `]${shown}${analyzed}}`;
}

/** Rows of a matrix that another thread can be given: samples, and labels as JSON in one text, which costs a message least. */
export interface MatrixRows extends Pick<MatrixResult, 'offsets' | 't' | 'v' | 'histograms'> {
  readonly metrics: string;
  /** Where the labels of each row end in it. */
  readonly metricEnds: Uint32Array<ArrayBuffer>;
}

/** The labels of rows from … to (exclusive), as {@link MatrixRows} has them. */
export function metricsOf(
  labels: readonly Labels[],
  from: number,
  to: number,
): Pick<MatrixRows, 'metrics' | 'metricEnds'> {
  const metricEnds = new Uint32Array(to - from);
  let metrics = '';
  for (let row = from; row < to; row++) {
    metrics += labelsJson(labels[row] as Labels);
    metricEnds[row - from] = metrics.length;
  }
  return { metrics, metricEnds };
}

/** What {@link encodeResult} gives for a matrix, of which others have encoded the rows: in order, without commas between. */
export function joinRows(
  result: MatrixResult,
  parts: readonly (readonly Uint8Array[])[],
  members: ResultMembers,
): Uint8Array[] {
  const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const separated = parts.flatMap((part, i) => (i === 0 ? part : [ascii(','), ...part]));
  return [ascii(headOf(result)), ...separated, ascii(tailOf(members))];
}

/** The bytes of rows with commas between, in pieces that the caller owns. */
export function encodeMatrixRows(rows: MatrixRows): Uint8Array[] {
  const { metrics, metricEnds } = rows;
  const out = new JsonPieces();
  const metricOf = (i: number): string => metrics.slice(metricEnds[i - 1] ?? 0, metricEnds[i]);
  encodeRows(out, rows, metricEnds.length, metricOf);
  return out.finish();
}

/** The same for the first rows of a matrix. */
export function encodeFirstRows(result: MatrixResult, count: number): Uint8Array[] {
  const out = new JsonPieces();
  encodeMatrix(out, result, count);
  return out.finish();
}

/** The bytes of a list of label sets, as `/api/v1/series` answers it. */
export function encodeLabelSets(sets: Iterable<Labels>): Uint8Array[] {
  const out = new JsonPieces();
  let separator = '[';
  for (const labels of sets) {
    out.raw(separator);
    encodeLabels(out, labels);
    separator = ',';
  }
  out.raw(separator === '[' ? '[]' : ']');
  return out.finish();
}

/** The bytes of a list of strings, as the label endpoints answer it. */
export function encodeStrings(strings: Iterable<string>): Uint8Array[] {
  const out = new JsonPieces();
  let separator = '[';
  for (const text of strings) {
    out.raw(separator);
    out.string(text);
    separator = ',';
  }
  out.raw(separator === '[' ? '[]' : ']');
  return out.finish();
}

/** Writes the first rows of a matrix. */
function encodeMatrix(out: JsonPieces, result: MatrixResult, count: number): void {
  encodeRows(out, result, count, (i) => labelsJson(result.labels[i] as Labels));
}

/** `metricOf` gives the labels of a row as JSON. */
function encodeRows(
  out: JsonPieces,
  { offsets, t, v, histograms }: Pick<MatrixRows, 'offsets' | 't' | 'v' | 'histograms'>,
  count: number,
  metricOf: (i: number) => string,
): void {
  const hasHistograms = histograms.values.length > 0;
  for (let i = 0; i < count; i++) {
    const [from, to] = [offsets[i] as number, offsets[i + 1] as number];
    out.text(`${i === 0 ? '' : ','}{"metric":${metricOf(i)}${from < to ? ',"values":[' : ''}`);
    if (from < to) {
      out.samples(t, v, from, to);
      out.raw(']');
    }
    if (hasHistograms) encodeHistograms(out, histograms, i);
    out.raw('}');
  }
}

/** Writes the histograms of the i-th series, if it has any. */
function encodeHistograms(
  out: JsonPieces,
  { offsets, t, values }: MatrixResult['histograms'],
  i: number,
): void {
  const [from, to] = [offsets[i] as number, offsets[i + 1] as number];
  if (from === to) return;
  out.raw(',"histograms":[');
  for (let k = from; k < to; k++) {
    out.raw(k === from ? '[' : ',[');
    out.timestamp(t[k] as number);
    out.raw(',');
    encodeHistogram(out, values[k] as FloatHistogram);
    out.raw(']');
  }
  out.raw(']');
}

function encodeVector(out: JsonPieces, result: VectorResult, count: number): void {
  const { labels, t, v, histograms } = result;
  for (let i = 0; i < count; i++) {
    out.raw(i === 0 ? '{"metric":' : ',{"metric":');
    encodeLabels(out, labels[i] as Labels);
    const histogram = histograms?.[i];
    out.raw(histogram === undefined ? ',"value":[' : ',"histogram":[');
    out.timestamp(t);
    out.raw(',');
    if (histogram === undefined) out.float(v[i] as number);
    else encodeHistogram(out, histogram);
    out.raw(']}');
  }
}

/** Which bounds of a bucket are its own, as Prometheus numbers them. */
const BOUNDARIES = { upper: 0, lower: 1, both: 3 } as const;

/** Writes a native histogram; empty buckets are left out. */
function encodeHistogram(out: JsonPieces, histogram: FloatHistogram): void {
  out.raw('{"count":');
  out.float(histogram.count);
  out.raw(',"sum":');
  out.float(histogram.sum);
  const { lower, upper, count, inclusive } = listBuckets(histogram);
  let separator = ',"buckets":[';
  for (const [i, kind] of inclusive.entries()) {
    if (count[i] === 0) continue;
    out.raw(`${separator}[${BOUNDARIES[kind]},`);
    out.float(lower[i] as number);
    out.raw(',');
    out.float(upper[i] as number);
    out.raw(',');
    out.float(count[i] as number);
    out.raw(']');
    separator = ',';
  }
  out.raw(separator === ',' ? ']}' : '}');
}

/** A label set as JSON. perf: strings that the library makes and writes do not wait for our own code to be compiled. */
function labelsJson({ pairs }: Pick<Labels, 'pairs'>): string {
  let text = '{';
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, value] = [JSON.stringify(pairs[i]), JSON.stringify(pairs[i + 1])];
    text += `${i === 0 ? '' : ','}${name}:${value}`;
  }
  return `${text}}`;
}

/** Writes a label set as an object. */
export function encodeLabels(out: JsonPieces, labels: Pick<Labels, 'pairs'>): void {
  out.text(labelsJson(labels));
}
