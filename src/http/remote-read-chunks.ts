/**
 * Answers of remote read with chunks (STREAMED_XOR_CHUNKS): frames of a prometheus.ChunkedReadResponse each, one series a
 * frame, a series in several frames when it is long. A frame is the length of the message as a uvarint, its CRC-32C as a
 * big-endian u32, the message (prometheus storage/remote/{codec,chunked}.go).
 */
import { encodeFloats, encodeHistograms } from '../chunkenc/encode-columns.ts';
import type { EncodedChunk } from '../chunkenc/encoded-chunk.ts';
import { ENCODING_FLOAT_HISTOGRAM } from '../chunkenc/encodings.ts';
import { crc32c } from '../lib/crc32c.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { Labels, compareLabels } from '../model/labels.ts';
import { FloatColumns } from '../storage/storage.ts';
import type { Queryable, SeriesSet } from '../storage/storage.ts';
import { WireWriter } from '../tsdb/head/wire-writer.ts';
import { labelFields, uvarint } from './remote-read-messages.ts';
import type { LabelFields } from './remote-read-messages.ts';
import type { ReadQuery } from './remote-read-request.ts';
import { checkSignal, selectRequest, shownLabels } from './remote-read-select.ts';
import type { ReadCursor, ReadOptions } from './remote-read-select.ts';

/** limit: bytes of one frame's message: a series' labels and chunks. */
const MESSAGE_BYTES_MAX = 1 << 30;

/** Series whose bytes are made resident at a time. */
const LOAD_SERIES = 64;

const HEAD_MAX = 11;
/** Tags: of ChunkedReadResponse, of ChunkedSeries, of Chunk. */
const CHUNKED_SERIES = 0x0a;
const QUERY_INDEX = 0x10;
const CHUNK = 0x12;
const CHUNK_FIELDS = { mint: 0x08, maxt: 0x10, type: 0x18, data: 0x22 } as const;

/** A set that may hand out chunks as they are stored. */
export interface ChunkedSeriesSet extends SeriesSet {
  /**
   * All samples of the i-th series in the selected range, and none beyond it, as chunks that do not overlap, in order of
   * time; undefined when they are not at hand in this form, and the samples are encoded anew. The bytes of series that
   * are loaded; valid until the next call.
   */
  chunks?(i: number): readonly EncodedChunk[] | undefined;
}

/** Frames from a cursor on, and where the next ones begin. @throws CodedError as readPage. */
export async function streamChunks(
  queryable: Queryable,
  queries: readonly ReadQuery[],
  cursor: ReadCursor,
  options: ReadOptions,
): Promise<{ pieces: Uint8Array<ArrayBuffer>[]; next: ReadCursor | undefined }> {
  const frames = new Frames(options.frameBytesMax);
  for (let index = cursor.query; index < queries.length; index++) {
    const query = queries[index] as ReadQuery;
    const set = await queryable.select(selectRequest(query, options.externalLabels));
    try {
      const after = index === cursor.query ? cursor.after : undefined;
      const first = behind(set, after);
      const end = await writeSet(frames, set, { index, first }, options);
      if (end < set.count) {
        const last = end === first ? after : set.labels(end - 1).pairs;
        return { pieces: frames.pieces, next: { query: index, after: last } };
      }
    } finally {
      set.close();
    }
    for (const warning of set.warnings) options.onWarning(warning);
  }
  return { pieces: frames.pieces, next: undefined };
}

/** Writes series until the page is full; answers the number of the first one that is left. */
async function writeSet(
  frames: Frames,
  set: ChunkedSeriesSet,
  { index, first }: { readonly index: number; readonly first: number },
  options: ReadOptions,
): Promise<number> {
  const encoder = new ChunkEncoder();
  for (let i = first; i < set.count; i++) {
    if (frames.bytes >= options.pageBytesMax) return i;
    if ((i - first) % LOAD_SERIES === 0) {
      checkSignal(options.signal);
      await set.load(i, Math.min(i + LOAD_SERIES, set.count));
    }
    const chunks = storedChunks(set, i) ?? encoder.encode(set, i);
    if (chunks.length === 0) continue;
    const labels = labelFields(shownLabels(set.labels(i), options.externalLabels));
    frames.series(labels, chunks, index);
  }
  return set.count;
}

/** Chunks as they are stored, if all are of a kind that every client knows. */
function storedChunks(set: ChunkedSeriesSet, i: number): readonly EncodedChunk[] | undefined {
  const chunks = set.chunks?.(i);
  const known = chunks?.every(({ encoding }) => encoding <= ENCODING_FLOAT_HISTOGRAM) ?? false;
  return known ? chunks : undefined;
}

/** The number of the first series behind the one with these labels. */
function behind(set: SeriesSet, pairs: readonly string[] | undefined): number {
  if (pairs === undefined) return 0;
  const after = new Labels(pairs);
  let low = 0;
  let high = set.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareLabels(set.labels(middle), after) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Encodes samples of series, one after the other: keeps its columns. */
class ChunkEncoder {
  readonly #floats = new FloatColumns();
  readonly #histograms = new HistogramColumns();

  /** The chunks of a series. */
  encode(set: SeriesSet, i: number): EncodedChunk[] {
    const floats = this.#floats;
    const histograms = this.#histograms;
    set.readFloats(i, floats, false);
    set.readHistograms(i, histograms, false);
    if (histograms.length === 0) return encodeFloats(floats.t, floats.v, floats.length);
    if (floats.length === 0) return encodeHistograms(histograms);
    return this.#encodeMixed();
  }

  /** Chunks hold one kind of sample: each run of a kind has chunks of its own. */
  #encodeMixed(): EncodedChunk[] {
    const { t, v, length } = this.#floats;
    const histograms = this.#histograms;
    const chunks: EncodedChunk[] = [];
    const timeOf = (times: Float64Array, i: number, end: number) =>
      i < end ? (times[i] as number) : Infinity;
    let i = 0;
    let k = 0;
    while (i < length || k < histograms.length) {
      const from = i;
      const untilHistogram = timeOf(histograms.t, k, histograms.length);
      while (timeOf(t, i, length) < untilHistogram) i++;
      chunks.push(...encodeFloats(t.subarray(from, i), v.subarray(from, i), i - from));
      const run = new HistogramColumns();
      const untilFloat = timeOf(t, i, length);
      while (k < histograms.length && timeOf(histograms.t, k, histograms.length) <= untilFloat) {
        run.addFrom(histograms, k++);
      }
      // compat: of two samples of one time the first chunk's counts; Prometheus stores no such two.
      if (timeOf(run.t, run.length - 1, run.length) === untilFloat) i++;
      chunks.push(...encodeHistograms(run));
    }
    return chunks;
  }
}

/** Frames under construction. */
class Frames {
  readonly pieces: Uint8Array<ArrayBuffer>[] = [];
  bytes = 0;
  readonly #frameBytesMax: number;
  readonly #out = new WireWriter('remote read frame');

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Writes the frames of a series. */
  series(labels: LabelFields, chunks: readonly EncodedChunk[], queryIndex: number): void {
    const room = this.#frameBytesMax - labels.contentBytes;
    const out = this.#out;
    for (let i = 0; i < chunks.length;) {
      out.begin(MESSAGE_BYTES_MAX);
      out.reserve(HEAD_MAX + labels.bytes.length);
      const start = out.open(CHUNKED_SERIES);
      out.put(labels.bytes);
      let left = room;
      do left -= writeChunk(out, chunks[i++] as EncodedChunk);
      while (left > 0 && i < chunks.length);
      out.reserve(2 * HEAD_MAX);
      out.close(start);
      if (queryIndex > 0) {
        out.byte(QUERY_INDEX);
        out.varint(queryIndex);
      }
      this.#add(out.written);
    }
  }

  #add(message: Uint8Array): void {
    const length = uvarint(message.length);
    const frame = new Uint8Array(length.length + 4 + message.length);
    frame.set(length);
    new DataView(frame.buffer).setUint32(length.length, crc32c(message));
    frame.set(message, length.length + 4);
    this.pieces.push(frame);
    this.bytes += frame.length;
  }
}

/** Writes a Chunk; answers how long its content is. Absent numbers are 0. */
function writeChunk(out: WireWriter, { mint, maxt, encoding, data }: EncodedChunk): number {
  out.reserve(6 * HEAD_MAX + data.length);
  const start = out.open(CHUNK);
  if (mint !== 0) {
    out.byte(CHUNK_FIELDS.mint);
    out.int64(mint);
  }
  if (maxt !== 0) {
    out.byte(CHUNK_FIELDS.maxt);
    out.int64(maxt);
  }
  out.byte(CHUNK_FIELDS.type);
  out.varint(encoding);
  out.byte(CHUNK_FIELDS.data);
  out.varint(data.length);
  out.put(data);
  const size = out.length - start;
  out.close(start);
  return size;
}
