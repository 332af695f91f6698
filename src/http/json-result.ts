/**
 * PromQL results as the `data` member of an answer: `{"resultType":…,"result":…}`. Behaviour: prometheus
 * web/api/v1/json_codec.go.
 */
import type { Labels } from '../model/labels.ts';
import type { MatrixResult, ScalarResult, StringResult, VectorResult } from '../promql/result.ts';
import { JsonPieces } from './json-pieces.ts';

/** A result of any type; its warnings and statistics are not part of the data. */
export type ResultData = MatrixResult | VectorResult | ScalarResult | StringResult;

/**
 * The bytes of a result's `data` member, in pieces that the caller owns. With a limit, only so many series are
 * written; the caller adds the warning when there are more. `stats` is the JSON of the member of that name, in ASCII.
 */
export function encodeResult(result: ResultData, limit = Infinity, stats?: string): Uint8Array[] {
  const out = new JsonPieces();
  out.raw(`{"resultType":"${result.type}","result":[`);
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
  out.raw(stats === undefined ? ']}' : `],"stats":${stats}}`);
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

function encodeMatrix(out: JsonPieces, result: MatrixResult, count: number): void {
  const { labels, offsets, t, v } = result;
  for (let i = 0; i < count; i++) {
    out.raw(i === 0 ? '{"metric":' : ',{"metric":');
    encodeLabels(out, labels[i] as Labels);
    out.raw(',"values":[');
    out.samples(t, v, offsets[i] as number, offsets[i + 1] as number);
    out.raw(']}');
  }
}

function encodeVector(out: JsonPieces, { labels, t, v }: VectorResult, count: number): void {
  for (let i = 0; i < count; i++) {
    out.raw(i === 0 ? '{"metric":' : ',{"metric":');
    encodeLabels(out, labels[i] as Labels);
    out.raw(',"value":[');
    out.timestamp(t);
    out.raw(',');
    out.float(v[i] as number);
    out.raw(']}');
  }
}

/** Writes a label set as an object. */
export function encodeLabels(out: JsonPieces, { pairs }: Labels): void {
  out.raw('{');
  for (let i = 0; i < pairs.length; i += 2) {
    if (i > 0) out.raw(',');
    out.string(pairs[i] as string);
    out.raw(':');
    out.string(pairs[i + 1] as string);
  }
  out.raw('}');
}
