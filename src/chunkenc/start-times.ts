/**
 * Start timestamps: since when a sample's counter counts (prometheus tsdb/chunkenc/st.go; docs/format/xor2-chunks.md,
 * "Start timestamps"). Chunks of encodings 4, 5 and 6 hold them.
 */
import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';
import { readVarbitInt, writeVarbitInt } from './varbit.ts';

/** In the header byte: the first sample has a start timestamp. */
const FIRST_KNOWN = 0x80;
/** The bits of the header byte that say at which sample they begin to change; 0 when they never do. */
const CHANGE_MASK = 0x7f;

/** A column of start timestamps in ms, 0 where there is none; `values` is replaced when it grows. */
export class StartTimes {
  values = new Float64Array(0);

  /** Sets the start timestamp of sample i. */
  set(i: number, st: number): void {
    if (i >= this.values.length) {
      const more = new Float64Array(Math.max(16, i * 2));
      more.set(this.values);
      this.values = more;
    }
    this.values[i] = st;
  }
}

/** Reads the start timestamps of a chunk's samples, one behind each sample. */
export class StartTimeReader {
  readonly #firstKnown: boolean;
  readonly #changeOn: number;
  /** The time of the sample before, less the start timestamp. */
  #behind = 0;
  /** The start timestamp of the sample that was read last. */
  st = 0;

  constructor(header: number) {
    this.#firstKnown = (header & FIRST_KNOWN) !== 0;
    this.#changeOn = header & CHANGE_MASK;
  }

  /** Reads that of sample i, from 0 on, with its time and that of the sample before. NaN when bytes end early. */
  read(reader: BitReader, i: number, t: number, before: number): void {
    if (i === 0) {
      if (this.#firstKnown) this.st = t - reader.varint();
      return;
    }
    if (this.#changeOn === 0 || i < this.#changeOn) return;
    const difference = readVarbitInt(reader);
    this.#behind = i === this.#changeOn ? difference : this.#behind + difference;
    this.st = before - this.#behind;
  }
}

/** Writes the start timestamps of a chunk's samples, one behind each sample. */
export class StartTimeWriter {
  #behind = 0;
  #changeOn = 0;
  #st = 0;
  /** What the header says of the samples so far. */
  header = 0;

  /** Appends that of sample i, from 0 on, with its time and that of the sample before. */
  write(out: BitWriter, i: number, times: SampleTimes): void {
    const { t, before, st } = times;
    if (i === 0) {
      if (st !== 0) {
        out.varint(t - st);
        this.header = FIRST_KNOWN;
      }
    } else if (this.#changeOn > 0) {
      writeVarbitInt(out, before - st - this.#behind);
      this.#behind = before - st;
    } else if (st !== this.#st || i === CHANGE_MASK) {
      // The header has no room for a later sample: from this one on they are written, changed or not.
      this.#changeOn = i;
      this.header |= i;
      this.#behind = before - st;
      writeVarbitInt(out, this.#behind);
    }
    this.#st = st;
  }
}

/** The times of one sample, in ms. */
export interface SampleTimes {
  readonly t: number;
  /** Of the sample before. */
  readonly before: number;
  readonly st: number;
}
