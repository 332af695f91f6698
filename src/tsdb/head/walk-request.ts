/**
 * Walks over a write request once more for what the kernel passes over: native histograms, exemplars, metadata. Most
 * requests have none, so it is not hot.
 */
import { ShortBytesError, readInt64, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';

/** A part of the request's bytes: from..end. */
export interface Span {
  readonly from: number;
  readonly end: number;
}

/** A TimeSeries with more than float samples. */
export interface RichSeries {
  /** Its Label fields with their tags, as far as they lead; `regular` when there are no others. */
  readonly labels: Span;
  readonly regular: boolean;
  /** The whole message. */
  readonly message: Span;
  /** Contents of its Histogram and Exemplar messages. */
  readonly histograms: readonly Span[];
  readonly exemplars: readonly Span[];
}

/** Told what is found, in the order of the request. */
export interface RequestVisitor {
  series(series: RichSeries): void;
  /** The content of a MetricMetadata message. */
  metadata(span: Span): void;
}

/**
 * Visits the parts of a decompressed request that the kernel has accepted.
 * @throws ShortBytesError for what is no write request.
 */
export function walkRequest(body: Uint8Array, visitor: RequestVisitor): void {
  const cursor: ByteCursor = { bytes: body, pos: 0, end: body.length };
  while (cursor.pos < cursor.end) {
    const { field, content } = nextField(cursor);
    if (field === 1) visitSeries(body, content, visitor);
    else if (field === 3) visitor.metadata(content);
  }
}

function visitSeries(body: Uint8Array, message: Span, visitor: RequestVisitor): void {
  const cursor: ByteCursor = { bytes: body, pos: message.from, end: message.end };
  let labelsEnd = message.from;
  let regular = true;
  let leading = true;
  const histograms: Span[] = [];
  const exemplars: Span[] = [];
  while (cursor.pos < cursor.end) {
    const { field, content } = nextField(cursor);
    if (field === 1) {
      if (leading) labelsEnd = cursor.pos;
      else regular = false;
      continue;
    }
    leading = false;
    if (field === 3) exemplars.push(content);
    else if (field === 4) histograms.push(content);
  }
  if (histograms.length === 0 && exemplars.length === 0) return;
  const labels = { from: message.from, end: labelsEnd };
  visitor.series({ labels, regular, message, histograms, exemplars });
}

/**
 * The time of the first sample of a request, float or histogram; undefined when there is none, or this is no request.
 * Within a series floats come first, as Prometheus takes them.
 */
export function firstSampleTime(body: Uint8Array): number | undefined {
  try {
    const cursor: ByteCursor = { bytes: body, pos: 0, end: body.length };
    while (cursor.pos < cursor.end) {
      const { field, content } = nextField(cursor);
      const time = field === 1 ? firstTimeOfSeries(body, content) : undefined;
      if (time !== undefined) return time;
    }
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
  }
  return undefined;
}

function firstTimeOfSeries(body: Uint8Array, { from, end }: Span): number | undefined {
  const cursor: ByteCursor = { bytes: body, pos: from, end };
  let histogram: number | undefined;
  while (cursor.pos < cursor.end) {
    const { field, content } = nextField(cursor);
    if (field === 2) return timeOf(body, content, 2);
    if (field === 4) histogram ??= timeOf(body, content, 15);
  }
  return histogram;
}

/** The int64 field of a number; 0 when it is left out. */
function timeOf(body: Uint8Array, { from, end }: Span, number: number): number {
  const cursor: ByteCursor = { bytes: body, pos: from, end };
  let time = 0;
  while (cursor.pos < cursor.end) {
    if (readUvarint({ ...cursor }) === number * 8) {
      readUvarint(cursor);
      time = readInt64(cursor);
    } else nextField(cursor);
  }
  return time;
}

/** Reads a field and moves behind it; field 0 stands for one that is not length-delimited. */
function nextField(cursor: ByteCursor): { readonly field: number; readonly content: Span } {
  const tag = readUvarint(cursor);
  if (tag < 8) throw new ShortBytesError();
  const wire = tag & 7;
  if (wire === 0) {
    readUvarint(cursor);
    return { field: 0, content: { from: cursor.pos, end: cursor.pos } };
  }
  if (wire !== 1 && wire !== 2 && wire !== 5) throw new ShortBytesError();
  const size = wire === 1 ? 8 : wire === 5 ? 4 : readUvarint(cursor);
  const from = cursor.pos;
  if (size > cursor.end - from) throw new ShortBytesError();
  cursor.pos = from + size;
  return { field: wire === 2 ? tag >>> 3 : 0, content: { from, end: cursor.pos } };
}
