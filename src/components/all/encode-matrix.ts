/**
 * The JSON of wide matrices, made by several workers: most of what such an answer takes is the shortest digits of its
 * floats.
 */
import { encodeFirstRows, encodeMatrixRows, joinRows, metricsOf } from '../../http/json-result.ts';
import type { MatrixRows, ResultMembers } from '../../http/json-result.ts';
import { NO_HISTOGRAMS } from '../../model/float-histogram/matrix-histograms.ts';
import { Transfer } from '../../ops/worker-protocol.ts';
import type { MatrixResult } from '../../promql/result.ts';

/** limit: handing rows to another worker and back takes a millisecond or two, writing so many samples one and a half. */
const PART_POINTS_MIN = 30_000;
/** Rows that are mostly labels are not worth it: those are copied on the way, a string at a time. */
const ROW_POINTS_MIN = 16;

/** Where rows are encoded. */
export interface RowEncoder {
  /** Runs {@link encodePart} in some worker. */
  elsewhere(rows: MatrixRows, buffers: ArrayBuffer[]): Promise<Uint8Array[]>;
  /** Throws when the query was cancelled; says that this worker is at it. */
  check(): void;
}

/** Into how many parts a matrix is best split. */
export function partsOf({ labels, v, histograms }: MatrixResult, workers: number): number {
  if (histograms.values.length > 0 || v.length < labels.length * ROW_POINTS_MIN) return 1;
  return Math.max(1, Math.min(workers, labels.length, Math.floor(v.length / PART_POINTS_MIN)));
}

/** The same bytes as encodeResult gives, made in so many parts: the first of them here, the others elsewhere. */
export async function encodeInParts(
  result: MatrixResult,
  parts: number,
  encoder: RowEncoder,
  members: ResultMembers,
): Promise<Uint8Array[]> {
  const bounds = boundsOf(result, parts);
  const others = bounds.slice(1, -1).map((from, k) => {
    const rows = rowsOf(result, from, bounds[k + 2] as number);
    return encoder.elsewhere(
      rows,
      [rows.metricEnds, rows.offsets, rows.t, rows.v].map(({ buffer }) => buffer) as ArrayBuffer[],
    );
  });
  encoder.check();
  const own = encodeFirstRows(result, bounds[1] as number);
  return joinRows(result, [own, ...(await Promise.all(others))], members);
}

/** The task that encodes rows for another worker. */
export function encodePart(rows: MatrixRows): Transfer {
  const pieces = encodeMatrixRows(rows);
  return new Transfer(
    pieces,
    pieces.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

/** The rows at which parts of about the same number of samples begin, and where the last one ends. */
function boundsOf({ offsets, labels, v }: MatrixResult, parts: number): number[] {
  const bounds = [0];
  for (let row = 0; row < labels.length; row++) {
    const due = (v.length * bounds.length) / parts;
    if (bounds.length < parts && row > 0 && (offsets[row] as number) >= due) bounds.push(row);
  }
  return [...bounds, labels.length];
}

/** Copies of rows from … to (exclusive). */
function rowsOf({ labels, offsets, t, v }: MatrixResult, from: number, to: number): MatrixRows {
  const [first, end] = [offsets[from] as number, offsets[to] as number];
  return {
    ...metricsOf(labels, from, to),
    offsets: offsets.subarray(from, to + 1).map((offset) => offset - first),
    t: t.slice(first, end),
    v: v.slice(first, end),
    histograms: NO_HISTOGRAMS,
  };
}
