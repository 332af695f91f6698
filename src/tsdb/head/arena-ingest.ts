/**
 * One arena's share of a write: stages a request through the kernel and resolves what the kernel does not know.
 *
 * Staging changes nothing that a reader sees, except that new series appear (empty). {@link ArenaIngest.apply} makes
 * the staged samples visible.
 */
import type { IngestKernel } from '../../kernels/load.ts';
import { CodedError } from '../../lib/errors.ts';
import { compareBytes, decodeUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { ArenaWriter } from './arena.ts';
import {
  H,
  HEADER,
  META,
  META_BLOCK,
  PAIR,
  S,
  STAGED_BYTES,
  STAGE,
  CUT_BYTES,
  NAME,
} from './arena-layout.ts';
import {
  appendSeries,
  openSeriesRecord,
  recordedBytes,
  reserveSeriesRecord,
} from './series-record.ts';
import { SeriesWriter } from './series-writer.ts';
import { parseLabels, splitTimeSeries } from './write-request.ts';
import type { TimeSeriesParts } from './write-request.ts';

/** limit: samples of one request; the staging buffers hold that many at the most (~200 MB with the WAL record). */
const STAGED_MAX = 4 << 20;
const METRIC_NAME = encodeUtf8('__name__');
const NOTHING = new Uint8Array(0);
/** A WAL sample takes at most two varints of 64 bits and eight bytes. */
const RECORD_BYTES_PER_SAMPLE = 28;
/** Arena bytes that one sample can take when applied: a largest chunk buffer, a block of metas. */
export const APPLY_BYTES_PER_SAMPLE = 1088 + META_BLOCK.header + 16 * META.bytes;

/** What staging one request found, over all arenas. Counts are samples unless they say otherwise. */
export interface StageCounts {
  accepted: number;
  /** Float samples that were there already, bit by bit, and native histograms likewise. */
  identical: number;
  identicalHistograms: number;
  outOfOrder: number;
  conflicts: number;
  tooOld: number;
  /** Whether samples may come out of order, so that those too old are older than the window. */
  window: boolean;
  /** How many of those that are stored came out of order. */
  late: number;
  /** Series left out because of their labels. */
  invalidSeries: number;
  timeseries: number;
  /** Native histograms that are stored, and those refused because they are none. */
  histograms: number;
  invalidHistograms: number;
  /** Exemplars that are stored. */
  exemplars: number;
  /** Exemplars left out because they are older than their series' newest one. */
  lateExemplars: number;
  /** The first refusal, as a sentence. */
  firstProblem: string;
}

/** Fresh counts. */
export function emptyStageCounts(): StageCounts {
  return {
    accepted: 0,
    identical: 0,
    identicalHistograms: 0,
    outOfOrder: 0,
    conflicts: 0,
    tooOld: 0,
    window: false,
    late: 0,
    invalidSeries: 0,
    timeseries: 0,
    histograms: 0,
    invalidHistograms: 0,
    exemplars: 0,
    lateExemplars: 0,
    firstProblem: '',
  };
}

/** How an arena fits into its head. */
export interface ArenaIngestOptions {
  /** Its number, below `count`, which is a power of two. */
  readonly index: number;
  readonly count: number;
  /** The key of the hash, eight bytes, the same in all arenas: the hash decides which arena a series lives in. */
  readonly hashKey: Uint8Array;
  readonly chunkRangeMs: number;
  readonly samplesPerChunk: number;
  /** The ingest of an arena by number. */
  readonly peer: (index: number) => ArenaIngest;
}

/** Stages and applies the writes of one arena. */
export class ArenaIngest {
  readonly arena: ArenaWriter;
  readonly kernel: IngestKernel;
  readonly series: SeriesWriter;
  /** Histograms and exemplars met on the slow way since {@link begin}; the kernel counts those it passes over. */
  richSeries = 0;
  readonly #options: ArenaIngestOptions;

  constructor(arena: ArenaWriter, kernel: IngestKernel, options: ArenaIngestOptions) {
    this.arena = arena;
    this.kernel = kernel;
    this.#options = options;
    arena.u8.set(options.hashKey, HEADER + H.seed);
    this.series = new SeriesWriter(arena, kernel);
    arena.setHeader(H.arenaIndex, options.index);
    arena.setHeader(H.arenaMask, options.count - 1);
    arena.setI64(HEADER + H.chunkRange, options.chunkRangeMs);
    arena.setHeader(H.samplesPerChunk, options.samplesPerChunk);
    // i64 limits, which no double holds: everything is valid, no sample has been seen.
    for (const field of [H.minValidTime, H.maxt]) arena.setHeader(field + 4, 0x80000000);
    for (const field of [H.mint, H.oooMin]) {
      arena.setHeader(field, 0xffffffff);
      arena.setHeader(field + 4, 0x7fffffff);
    }
    openSeriesRecord(arena);
    this.#allocBuffers(8192);
    this.#reserveBody(1 << 20);
  }

  /**
   * Stages this arena's series of a decompressed request; all arenas have begun. New series get refs from `H.nextRef` on
   * and are in the arena's series record.
   * @throws CodedError bad_data for a malformed body (with its offset), too_large, unavailable when memory is full.
   */
  stage(body: Uint8Array, counts: StageCounts): void {
    const { arena } = this;
    this.copyIn(body);
    let from = 0;
    for (;;) {
      const answer = this.kernel.stage(HEADER, from, body.length);
      if (answer === STAGE.done) break;
      if (answer === STAGE.malformed) throw malformed(arena.header(H.errorOffset), body.length);
      from = arena.header(H.resume);
      const at = arena.header(H.missPtr);
      const length = arena.header(H.missLength);
      try {
        if (answer === STAGE.full) this.#makeRoom(length);
        else if (answer === STAGE.miss) from = this.#resolveMiss(at, length, from, counts);
        else this.#stageSlowly(arena.u8.slice(at, at + length), counts);
      } catch (thrown) {
        if (!(thrown instanceof ShortBytesError)) throw thrown;
        throw malformed(at - arena.header(H.body), body.length);
      }
    }
  }

  /** Whether what was staged since {@link begin} came with more than float samples. */
  get hasMore(): boolean {
    const { arena } = this;
    return (
      this.richSeries +
        arena.header(H.histograms) +
        arena.header(H.exemplars) +
        arena.header(H.metadata) >
      0
    );
  }

  /** The series of label bytes that {@link stage} has seen: leading Label fields in the body, or any. */
  seriesOf(labels: Uint8Array): { owner: ArenaIngest; series: number } | undefined {
    const parsed = parseLabels(labels);
    if (parsed.problem !== undefined) return undefined;
    const { peer, count } = this.#options;
    const owner = peer(this.series.arenaOf(parsed.labels, count));
    const series = owner.series.find(parsed.labels);
    return series === 0 ? undefined : { owner, series };
  }

  /** Whether the list of cut chunks has no room for what appending a histogram can end. */
  get cutsFull(): boolean {
    return this.arena.header(H.cutCount) + 2 > this.arena.header(H.cutCapacity);
  }

  /** Forgets what was staged and starts over. */
  begin(): void {
    const { arena } = this;
    this.richSeries = 0;
    arena.setHeader(H.epoch, (arena.header(H.epoch) + 1) >>> 0 || 1);
    arena.setHeader(H.stagedCount, 0);
    arena.setHeader(H.oooCount, 0);
    arena.setHeader(H.recordLength, 0);
    for (let field: number = H.accepted; field <= H.timeseries; field += 4)
      arena.setHeader(field, 0);
    arena.setHeader(H.rejectKind, 0);
  }

  /** The WAL record of what is staged; empty when nothing is. A view, valid until the next stage. */
  get record(): Uint8Array {
    const at = this.arena.header(H.record);
    return this.arena.u8.subarray(at, at + this.arena.header(H.recordLength));
  }

  /** Makes the staged samples visible. Chunks that were cut on the way are in the cut list. */
  apply(): void {
    const staged = this.arena.header(H.stagedCount);
    if (staged === 0) return;
    if (this.kernel.apply(HEADER) !== staged) {
      throw new CodedError('internal', 'BUG: the head arena filled up while samples were applied');
    }
    this.arena.setHeader(H.stagedCount, 0);
  }

  /** Copies bytes to the body buffer, where the kernel reads them. */
  copyIn(bytes: Uint8Array): void {
    this.#reserveBody(bytes.length);
    this.arena.u8.set(bytes, this.arena.header(H.body));
  }

  /** The labels of a series as text, for messages. */
  describe(series: number): string {
    const parts = this.labelsOf(series).map((part) => decodeUtf8(part));
    const pairs: string[] = [];
    for (let i = 0; i < parts.length; i += 2)
      pairs.push(`${parts[i]}=${JSON.stringify(parts[i + 1])}`);
    return `{${pairs.join(', ')}}`;
  }

  /** The labels of a series: name, value, … as UTF-8, by name; views of the arena. */
  labelsOf(series: number): Uint8Array[] {
    const { arena } = this;
    const parts: Uint8Array[] = [];
    for (let i = 0; i < arena.get(series + S.pairCount); i++) {
      const number = arena.get(arena.get(series + S.pairs) + i * 4);
      const pair = arena.record(arena.header(H.pairSlabs), PAIR.bytes, number);
      const name = arena.record(arena.header(H.nameSlabs), NAME.bytes, arena.get(pair + PAIR.name));
      const text = arena.get(name + NAME.text);
      const value = arena.get(pair + PAIR.value);
      parts.push(arena.u8.subarray(text, text + arena.get(name + NAME.length)));
      parts.push(arena.u8.subarray(value, value + arena.get(pair + PAIR.valueLength)));
    }
    return parts;
  }

  /** The value of a series' `__name__`; empty without one. */
  metricName(series: number): Uint8Array {
    const labels = this.labelsOf(series);
    const i = labels.findIndex((part, n) => n % 2 === 0 && compareBytes(part, METRIC_NAME) === 0);
    return labels[i + 1] ?? NOTHING;
  }

  /** A series nobody knows by these bytes: creates it or makes the bytes its alias. Answers where to go on. */
  #resolveMiss(key: number, length: number, from: number, counts: StageCounts): number {
    const { arena, kernel } = this;
    const found = this.#seriesOf(arena.u8.slice(key, key + length), counts);
    if (found !== undefined && found.owner === this) {
      if (kernel.lookup(HEADER, key, length) !== 0) return from;
      if (this.series.alias(found.series, key, length)) return from;
    }
    // Refused labels are passed over. A series that lives in another arena, or has too many spellings already, is
    // staged the slow way every time.
    const message = this.#messageAt(from);
    const parts = splitTimeSeries(arena.u8.slice(message.start, message.end));
    if (found !== undefined) found.owner.#stageParts(found.series, parts, counts);
    return message.end - arena.header(H.body);
  }

  /** A TimeSeries whose labels are not in one piece. */
  #stageSlowly(message: Uint8Array, counts: StageCounts): void {
    const parts = splitTimeSeries(message);
    const found = this.#seriesOf(parts.labels, counts);
    if (found !== undefined) found.owner.#stageParts(found.series, parts, counts);
  }

  /** The series of label bytes and the arena it lives in, created at need; undefined when the labels are refused. */
  #seriesOf(
    labelBytes: Uint8Array,
    counts: StageCounts,
  ): { owner: ArenaIngest; series: number } | undefined {
    const parsed = parseLabels(labelBytes);
    if (parsed.problem !== undefined) {
      counts.invalidSeries++;
      if (counts.firstProblem === '') counts.firstProblem = `invalid labels: ${parsed.problem}`;
      return undefined;
    }
    const { peer, count } = this.#options;
    const owner = peer(this.series.arenaOf(parsed.labels, count));
    const known = owner.series.find(parsed.labels);
    if (known !== 0) return { owner, series: known };
    return { owner, series: owner.#createSeries(this.#takeRef(), parsed.labels) };
  }

  /** A series that does not fit must not be logged, or each try would log it again. */
  #createSeries(ref: number, labels: readonly Uint8Array[]): number {
    this.series.requireRoom(labels);
    reserveSeriesRecord(this.arena, recordedBytes(labels));
    const series = this.series.create(ref, labels);
    appendSeries(this.arena, ref, labels);
    return series;
  }

  #takeRef(): number {
    const ref = this.arena.getI64(HEADER + H.nextRef);
    this.arena.setI64(HEADER + H.nextRef, ref + 1);
    return ref;
  }

  /** Stages the samples of a TimeSeries that was taken apart, of a series of this arena. */
  #stageParts(series: number, parts: TimeSeriesParts, counts: StageCounts): void {
    const { arena } = this;
    counts.timeseries++;
    this.richSeries += parts.histograms + parts.exemplars;
    this.#makeRoom(parts.samples.length);
    const slot = arena.header(H.body) + arena.header(H.bodyCapacity) - 16;
    for (let i = 0; i < parts.samples.length; i += 16) {
      arena.u8.set(parts.samples.subarray(i, i + 16), slot);
      this.kernel.stageSampleAt(HEADER, series, slot);
    }
  }

  /** The content of the TimeSeries field that begins at an offset of the body, as addresses. */
  #messageAt(offset: number): { start: number; end: number } {
    const body = this.arena.header(H.body);
    const cursor: ByteCursor = {
      bytes: this.arena.u8,
      pos: body + offset + 1,
      end: body + offset + 11,
    };
    const length = readUvarint(cursor);
    return { start: cursor.pos, end: cursor.pos + length };
  }

  /** Adds what the kernel counted since {@link begin}. */
  addCounts(counts: StageCounts): void {
    const { arena } = this;
    counts.accepted += arena.header(H.accepted);
    counts.identical += arena.header(H.identical);
    counts.outOfOrder += arena.header(H.outOfOrder);
    counts.conflicts += arena.header(H.conflicts);
    counts.tooOld += arena.header(H.tooOld);
    counts.timeseries += arena.header(H.timeseries);
    const kind = arena.header(H.rejectKind);
    if (kind === 0 || counts.firstProblem !== '') return;
    const what =
      kind === H.outOfOrder
        ? 'out of order sample'
        : kind === H.conflicts
          ? 'duplicate sample for timestamp'
          : arena.header(H.oooMin + 4) === 0x7fffffff
            ? 'out of bounds'
            : 'too old sample';
    const t = arena.getI64(HEADER + H.rejectTime);
    counts.firstProblem = `${what} ${t} of series ${this.describe(arena.header(H.rejectSeries))}`;
  }

  #reserveBody(length: number): void {
    const { arena } = this;
    const have = arena.header(H.bodyCapacity);
    // 64 bytes behind the body: a slot for single samples, and what the kernel reads ahead.
    if (length + 64 <= have) return;
    let size = 1 << 16;
    while (size < length + 64) size *= 2;
    const at = arena.allocRegion(size);
    if (have > 0) arena.freeRegion(arena.header(H.body), have);
    arena.setHeader(H.body, at);
    arena.setHeader(H.bodyCapacity, size);
  }

  /** Grows the staging buffers until the samples in so many bytes of a TimeSeries message fit. */
  #makeRoom(messageBytes: number): void {
    const { arena } = this;
    const staged = Math.max(arena.header(H.stagedCount), arena.header(H.oooCount));
    const have = arena.header(H.stagedCapacity);
    // A sample takes at least two bytes of the message.
    const need = staged + Math.ceil(messageBytes / 2) + 2;
    if (
      need <= have &&
      arena.header(H.recordLength) + need * RECORD_BYTES_PER_SAMPLE <=
        arena.header(H.recordCapacity)
    ) {
      return;
    }
    if (need > STAGED_MAX) {
      throw new CodedError('too_large', `a write request may hold ${STAGED_MAX} samples at most`);
    }
    let capacity = have;
    while (capacity < need * 2) capacity *= 2;
    const old = {
      staged: arena.header(H.staged),
      record: arena.header(H.record),
      cut: arena.header(H.cut),
      ooo: arena.header(H.ooo),
    };
    const recordBytes = arena.header(H.recordCapacity);
    this.#allocBuffers(capacity);
    arena.u8.copyWithin(arena.header(H.staged), old.staged, old.staged + staged * STAGED_BYTES);
    arena.u8.copyWithin(arena.header(H.ooo), old.ooo, old.ooo + staged * STAGED_BYTES);
    arena.u8.copyWithin(
      arena.header(H.record),
      old.record,
      old.record + arena.header(H.recordLength),
    );
    arena.freeRegion(old.staged, have * STAGED_BYTES);
    arena.freeRegion(old.ooo, have * STAGED_BYTES);
    arena.freeRegion(old.record, recordBytes);
    arena.freeRegion(old.cut, have * CUT_BYTES);
  }

  #allocBuffers(capacity: number): void {
    const { arena } = this;
    const recordBytes = capacity * RECORD_BYTES_PER_SAMPLE * 2 + 64;
    // All or none: the kernel takes it that the cut list holds as many entries as there are staged samples.
    arena.requireFree(capacity * (2 * STAGED_BYTES + CUT_BYTES) + recordBytes + 32);
    arena.setHeader(H.staged, arena.allocRegion(capacity * STAGED_BYTES));
    arena.setHeader(H.stagedCapacity, capacity);
    arena.setHeader(H.ooo, arena.allocRegion(capacity * STAGED_BYTES));
    arena.setHeader(H.oooCapacity, capacity);
    arena.setHeader(H.record, arena.allocRegion(recordBytes));
    arena.setHeader(H.recordCapacity, recordBytes);
    arena.setHeader(H.cut, arena.allocRegion(capacity * CUT_BYTES));
    arena.setHeader(H.cutCapacity, capacity);
  }
}

function malformed(offset: number, length: number): CodedError {
  return new CodedError(
    'bad_data',
    `malformed write request: not a prometheus.WriteRequest at byte ${offset} of ${length}`,
  );
}
