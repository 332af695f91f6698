/** Exemplars as `/api/v1/query_exemplars` shows them. Behaviour: prometheus web/api/v1/json_codec.go. */
import { Labels } from '../model/labels.ts';
import { JsonPieces } from './json-pieces.ts';
import { encodeLabels } from './json-result.ts';
import type { SeriesExemplars } from './tsdb-service.ts';

/** The bytes of the `data` member, in pieces that the caller owns. */
export function encodeExemplars(series: readonly SeriesExemplars[]): Uint8Array[] {
  const out = new JsonPieces();
  out.raw('[');
  for (const [i, { seriesLabels, exemplars }] of series.entries()) {
    out.raw(i === 0 ? '{"seriesLabels":' : ',{"seriesLabels":');
    encodeLabels(out, new Labels(seriesLabels));
    out.raw(',"exemplars":[');
    for (const [k, { labels, value, timestampMs }] of exemplars.entries()) {
      out.raw(k === 0 ? '{"labels":' : ',{"labels":');
      encodeLabels(out, new Labels(labels));
      out.raw(',"value":');
      out.float(value);
      out.raw(',"timestamp":');
      out.timestamp(timestampMs);
      out.raw('}');
    }
    out.raw(']}');
  }
  out.raw(']');
  return out.finish();
}
