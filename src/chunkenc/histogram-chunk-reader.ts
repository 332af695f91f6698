/** Walks through the samples of a histogram chunk. */
import { CorruptionError } from '../lib/errors.ts';
import { RESET_HINT } from '../model/histogram.ts';
import type { HistogramColumns, HistogramLayout } from '../model/histogram.ts';
import { BitReader } from './bit-reader.ts';
import {
  HISTOGRAM_HEADER_BYTES,
  histogramChunkCount,
  histogramChunkHint,
  holdsFloatHistograms,
  holdsStartTimes,
  isHistogramEncoding,
} from './histogram-chunk-header.ts';
import { EMPTY_LAYOUT, readChunkLayout } from './histogram-chunk-layout.ts';
import { FloatSampleReader, IntegerSampleReader } from './histogram-samples.ts';
import type { SampleReader } from './histogram-samples.ts';
import { StartTimeReader } from './start-times.ts';
import { readVarbitInt } from './varbit.ts';

/** The fewest bits of a bucket in a chunk's first sample. */
const INTEGER_BUCKET_BITS = 1;
const FLOAT_BUCKET_BITS = 64;

/** Where a chunk is: bytes[offset..offset + length]; `where` names the file or body in errors. */
export interface ChunkPlace {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly where: string;
}

/**
 * The samples of one chunk of encodings 2, 3, 5 and 6 in turn: {@link next}, then {@link nextStart}, `count` times. The
 * bytes stay the caller's and must not change meanwhile.
 */
export class HistogramChunkReader {
  /** How many samples the chunk says it has. */
  readonly count: number;
  /** As written: its schema may be finer than ours. */
  readonly layout: HistogramLayout = EMPTY_LAYOUT;
  /** The bits behind the header. */
  readonly bits: BitReader;
  readonly #samples: SampleReader | undefined;
  readonly #starts: StartTimeReader | undefined;
  readonly #isGauge: boolean;
  #next = 0;
  #t = 0;
  #before = 0;
  #delta = 0;

  /** @throws CorruptionError when there is no such chunk; RangeError for an encoding of something else. */
  constructor({ bytes, offset, length, where }: ChunkPlace, encoding: number) {
    if (!isHistogramEncoding(encoding)) throw new RangeError(`BUG: encoding ${encoding}`);
    if (length < HISTOGRAM_HEADER_BYTES || offset + length > bytes.length)
      throw new CorruptionError(`a histogram chunk of ${length} bytes`, where, offset);
    const isFloat = holdsFloatHistograms(encoding);
    this.bits = new BitReader(bytes, offset + HISTOGRAM_HEADER_BYTES, offset + length, where);
    this.count = histogramChunkCount(bytes, offset, encoding);
    this.#isGauge = histogramChunkHint(bytes, offset, encoding) === RESET_HINT.gauge;
    if (holdsStartTimes(encoding))
      this.#starts = new StartTimeReader(bytes[offset + HISTOGRAM_HEADER_BYTES - 1] as number);
    if (this.count === 0) return;
    this.layout = readChunkLayout(this.bits, isFloat ? FLOAT_BUCKET_BITS : INTEGER_BUCKET_BITS);
    this.#samples = isFloat
      ? new FloatSampleReader(this.layout)
      : new IntegerSampleReader(this.layout);
  }

  /** Reads a sample without its start timestamp to a new row of columns, and answers its number. @throws CorruptionError. */
  next(into: HistogramColumns): number {
    const { bits } = this;
    if (this.#samples === undefined) throw new RangeError('BUG: a sample of an empty chunk');
    const isFirst = this.#next++ === 0;
    this.#before = this.#t;
    if (isFirst) this.#t = readVarbitInt(bits);
    else {
      this.#delta += readVarbitInt(bits);
      this.#t += this.#delta;
    }
    const row = this.#samples.read(bits, isFirst, this.#hint(isFirst), into);
    into.t[row] = this.#t;
    if (bits.over) throw bits.error(`bytes end in sample ${this.#next} of ${this.count}`);
    return row;
  }

  /** Reads the start timestamp of the sample that was read; 0 when there is none. @throws CorruptionError. */
  nextStart(): number {
    const starts = this.#starts;
    if (starts === undefined) return 0;
    starts.read(this.bits, this.#next - 1, this.#t, this.#before);
    if (Number.isNaN(starts.st) || this.bits.over)
      throw this.bits.error(`bytes end in sample ${this.#next} of ${this.count}`);
    return starts.st;
  }

  /** compat: Prometheus does not trust the header of a counter's chunk, which may follow another one by now. */
  #hint(isFirst: boolean): number {
    if (this.#isGauge) return RESET_HINT.gauge;
    return isFirst ? RESET_HINT.unknown : RESET_HINT.notReset;
  }
}
