/**
 * Appends native histograms to the open chunks of one arena, by Prometheus' rules of when a chunk ends
 * (tsdb/head_append.go histogramsAppendPreprocessor, appendHistogram).
 *
 * What an appender knows of its chunk lies here, in the writing thread; the chunk's bytes lie in the arena, where
 * readers copy them under the series' generation. Histogram series are few beside float series, so this is TypeScript.
 */
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_HISTOGRAM } from '../../chunkenc/encodings.ts';
import { HistogramAppender } from '../../chunkenc/histogram-appender.ts';
import { equalHistograms } from '../../model/equal-histograms.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { chunkEndTime, rangeEnd } from './chunk-end.ts';
import { H, HEADER, S, X } from './arena-layout.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { extraOf, regionBytes, underGeneration } from './late-samples.ts';

/** The size that chunks aim at, and what ends them at the latest. */
const TARGET_BYTES = 1024;
/** Samples that a chunk gets even when they make it larger. */
const SAMPLES_MIN = 10;
/** In {@link S.sizeClass}: the buffer is a region of two to this power. */
export const REGION_CLASS = 0x80;
/** What a chunk begins with. */
const FIRST_BYTES = 256;

/** An open chunk. */
interface OpenChunk {
  readonly appender: HistogramAppender;
  /** Its buffer: when the series has another one, somebody else has ended the chunk. */
  buffer: number;
  capacity: number;
  /** Whether the time at which it should end was computed from its size. */
  endComputed: boolean;
}

/** The histograms of one arena. */
export class HistogramWriter {
  readonly #ingest: ArenaIngest;
  readonly #open = new Map<number, OpenChunk>();
  /** The newest histogram of each series, alone in its columns. */
  readonly #newest = new Map<number, HistogramColumns>();

  constructor(ingest: ArenaIngest) {
    this.#ingest = ingest;
  }

  /** Bytes that appending the i-th histogram can take of the arena. */
  static roomFor(columns: HistogramColumns, i: number): number {
    const { positiveCount, negativeCount, positiveSpans, negativeSpans, customValues } =
      columns.layoutAt(i);
    const parts = positiveCount + negativeCount + positiveSpans.length + negativeSpans.length;
    // A chunk holds ten samples at least; its buffer grows by doubling, the old one is given back afterwards.
    return 4 * regionBytes(2048 + (parts + customValues.length + 8) * 10 * SAMPLES_MIN) + X.bytes;
  }

  /** Whether the i-th histogram equals the newest sample of a series. */
  isNewest(series: number, columns: HistogramColumns, i: number): boolean {
    const newest = this.#newest.get(series);
    return newest !== undefined && equalHistograms(newest, 0, columns, i);
  }

  /**
   * Appends the i-th histogram, which is newer than the newest sample of its series. Chunks that it ends are in the
   * arena's cut list.
   */
  append(series: number, columns: HistogramColumns, i: number): void {
    const { arena } = this.#ingest;
    const t = columns.t[i] as number;
    const encoding = columns.isFloat[i] === 1 ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
    let open = this.#openChunk(series, encoding);
    if (open === undefined || this.#isFull(series, open, t))
      open = this.#begin(series, encoding, t, open?.appender);
    if (open.appender.append(columns, i) === 'new chunk needed') {
      const last = open.appender;
      open = this.#begin(series, encoding, t, last);
      open.appender.append(columns, i);
    }
    this.#store(series, open);
    arena.setI64(series + S.lastT, t);
    this.keepNewest(series, columns, i);
    for (const [field, sign] of [
      [H.mint, -1],
      [H.maxt, 1],
    ] as const) {
      if ((t - arena.getI64(HEADER + field)) * sign > 0) arena.setI64(HEADER + field, t);
    }
    arena.setI64(HEADER + H.samplesTotal, arena.getI64(HEADER + H.samplesTotal) + 1);
  }

  /** Forgets a series' open chunk: it was taken out of the head. */
  forget(series: number): void {
    this.#open.delete(series);
    this.#newest.delete(series);
  }

  /** The open chunk of a series if it takes samples of an encoding. */
  #openChunk(series: number, encoding: number): OpenChunk | undefined {
    const { arena } = this.#ingest;
    const open = this.#open.get(series);
    if (open === undefined || arena.get(series + S.chunk) !== open.buffer) return undefined;
    return arena.u8[series + S.encoding] === encoding ? open : undefined;
  }

  #isFull(series: number, open: OpenChunk, t: number): boolean {
    const { arena } = this.#ingest;
    const { appender } = open;
    const mint = arena.getI64(series + S.chunkMint);
    const range = arena.getI64(HEADER + H.chunkRange);
    let nextAt = arena.getI64(series + S.nextAt);
    // As long as no end was computed, the end of the range is the only one there is.
    const rangeStart = open.endComputed ? rangeEnd(mint, range) : nextAt;
    const size = appender.byteLength;
    if (!open.endComputed && size >= TARGET_BYTES / 4) {
      nextAt = chunkEndTime(mint, arena.getI64(series + S.lastT), nextAt, TARGET_BYTES / size);
      arena.setI64(series + S.nextAt, nextAt);
      open.endComputed = true;
    }
    return (
      (t >= nextAt || size >= TARGET_BYTES * 2) &&
      (appender.count >= SAMPLES_MIN || t >= rangeStart)
    );
  }

  /** Ends the open chunk, of whatever kind, and begins one at a time. */
  #begin(
    series: number,
    encoding: number,
    t: number,
    before: HistogramAppender | undefined,
  ): OpenChunk {
    const { arena, kernel } = this.#ingest;
    if (arena.get(series + S.chunk) !== 0 && kernel.cutOpen(HEADER, series) === 0)
      throw arena.fullError(FIRST_BYTES);
    const appender = new HistogramAppender(encoding, before);
    const open = { appender, buffer: 0, capacity: 0, endComputed: false };
    arena.setI64(series + S.chunkMint, t);
    arena.setI64(series + S.nextAt, rangeEnd(t, arena.getI64(HEADER + H.chunkRange)));
    this.#open.set(series, open);
    extraOf(arena, series);
    return open;
  }

  /** Puts the chunk's bytes where readers find them. */
  #store(series: number, open: OpenChunk): void {
    const { arena } = this.#ingest;
    const { appender } = open;
    const size = appender.byteLength;
    const old = { buffer: open.buffer, capacity: open.capacity };
    if (size > open.capacity) {
      open.capacity = regionBytes(Math.max(size + size / 2, FIRST_BYTES));
      open.buffer = arena.allocRegion(open.capacity);
    }
    const extra = extraOf(arena, series);
    underGeneration(arena, series, () => {
      arena.u8.set(appender.bytes(), open.buffer);
      arena.set(series + S.chunk, open.buffer);
      arena.u8[series + S.encoding] = appender.encoding;
      arena.u8[series + S.sizeClass] = REGION_CLASS | Math.log2(open.capacity);
      arena.set(extra + X.openLength, size);
      // The bits of the word mean nothing for such a chunk; 1, so that nobody takes it for empty.
      Atomics.store(arena.i32, (series + S.published) >>> 2, (appender.count << 16) | 1);
    });
    if (old.buffer !== 0 && old.buffer !== open.buffer) arena.freeRegion(old.buffer, old.capacity);
  }

  /** The newest histogram of a series, alone in its columns. */
  newestOf(series: number): HistogramColumns | undefined {
    return this.#newest.get(series);
  }

  /** Takes the i-th histogram as the newest of a series: what a duplicate is compared with. */
  keepNewest(series: number, columns: HistogramColumns, i: number): void {
    let newest = this.#newest.get(series);
    if (newest === undefined) this.#newest.set(series, (newest = new HistogramColumns()));
    newest.clear();
    newest.addFrom(columns, i);
  }
}

/** Gives a chunk's buffer back, whatever it was made by. */
export function freeChunkBuffer(ingest: ArenaIngest, buffer: number, sizeClass: number): void {
  if (sizeClass < REGION_CLASS) ingest.kernel.freeBuffer(HEADER, buffer, sizeClass);
  else ingest.arena.freeRegion(buffer, 2 ** (sizeClass & 0x7f));
}
