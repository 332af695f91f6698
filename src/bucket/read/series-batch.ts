/**
 * Series of a block in columns: labels as the StoreAPI has them, and the chunks that a range of times asks for. Made from entries
 * of the index; docs/format/index.md draws those.
 */
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint, readVarint } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { SeriesEntries } from './load-entries.ts';

/** Numbers that become more. */
class Numbers<T extends Uint32Array | Float64Array> {
  readonly #make: (size: number) => T;
  values: T;
  length = 0;

  constructor(make: (size: number) => T, size: number) {
    this.#make = make;
    this.values = make(size);
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const more = this.#make(this.values.length * 2);
      more.set(this.values);
      this.values = more;
    }
    this.values[this.length++] = value;
  }

  /** What there is, without what has been reserved. */
  get all(): T {
    return this.values.subarray(0, this.length) as T;
  }
}

/** Series whose entries are parsed: symbols of their labels, and their chunks. Those without chunks in the range are left out. */
export interface ParsedSeries {
  readonly count: number;
  /** Places in the entries. */
  readonly places: Uint32Array;
  /** References of names and values in turn; those of the i-th series are from symbolStarts[i] to symbolStarts[i + 1]. */
  readonly symbols: Float64Array;
  readonly symbolStarts: Uint32Array;
  /** Chunks of the i-th series are from chunkStarts[i] to chunkStarts[i + 1], in the order of the entry; none when skipped. */
  readonly chunkStarts: Uint32Array;
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
  /** Segments from 0 on, and offsets in them. */
  readonly segments: Uint32Array;
  readonly offsets: Uint32Array;
}

/** What to take of the entries. */
export interface ParseOptions {
  /** ms, both inclusive: chunks that touch this range. */
  readonly mint: number;
  readonly maxt: number;
  readonly skipChunks: boolean;
  /** Whether series without such chunks are kept, which lazily expanded postings need. */
  readonly keepAll: boolean;
  /** For messages. */
  readonly path: string;
}

/** Parses entries from..to. @throws CorruptionError. */
export function parseEntries(
  entries: SeriesEntries,
  { from, to }: { readonly from: number; readonly to: number },
  options: ParseOptions,
): ParsedSeries {
  const parser = new EntryParser(options);
  for (let i = from; i < to; i++) {
    const bytes = entries.bytes[entries.part[i] as number] as Uint8Array;
    parser.parse(bytes, i, { from: entries.start[i] as number, to: entries.end[i] as number });
  }
  return parser.result();
}

const u32 = (size: number): Uint32Array => new Uint32Array(size);
const f64 = (size: number): Float64Array => new Float64Array(size);
const TWO_32 = 4294967296;

class EntryParser {
  readonly #options: ParseOptions;
  readonly #places = new Numbers(u32, 1024);
  readonly #symbols = new Numbers(f64, 1024);
  readonly #symbolStarts = new Numbers(u32, 1024);
  readonly #chunkStarts = new Numbers(u32, 1024);
  readonly #mint = new Numbers(f64, 1024);
  readonly #maxt = new Numbers(f64, 1024);
  readonly #segments = new Numbers(u32, 1024);
  readonly #offsets = new Numbers(u32, 1024);

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#symbolStarts.push(0);
    this.#chunkStarts.push(0);
  }

  parse(bytes: Uint8Array, place: number, { from, to }: { from: number; to: number }): void {
    const cursor = { bytes, pos: from, end: to };
    const symbols = this.#symbols.length;
    try {
      const labels = readUvarint(cursor);
      if (labels > to - from) throw new ShortBytesError();
      for (let i = 0; i < labels * 2; i++) this.#symbols.push(readUvarint(cursor));
      if (!this.#chunks(cursor) && !this.#options.keepAll) {
        this.#symbols.length = symbols;
        return;
      }
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      throw new CorruptionError('series entry ends early', this.#options.path, from);
    }
    this.#places.push(place);
    this.#symbolStarts.push(this.#symbols.length);
    this.#chunkStarts.push(this.#mint.length);
  }

  /** Reads the chunks; answers whether there is one in the range. */
  #chunks(cursor: ByteCursor): boolean {
    const { mint: from, maxt: to, skipChunks } = this.#options;
    const count = readUvarint(cursor);
    let found = false;
    let time = 0;
    let ref = 0;
    for (let i = 0; i < count; i++) {
      const mint = i === 0 ? readVarint(cursor) : time + readDifference(cursor);
      const maxt = mint + readDifference(cursor);
      ref = i === 0 ? readUvarint(cursor) : ref + readVarint(cursor);
      time = maxt;
      if (mint > to) break;
      if (maxt < from) continue;
      found = true;
      if (skipChunks) break;
      this.#mint.push(mint);
      this.#maxt.push(maxt);
      this.#segments.push(Math.floor(ref / TWO_32));
      this.#offsets.push(ref % TWO_32);
    }
    return found;
  }

  result(): ParsedSeries {
    return {
      count: this.#places.length,
      places: this.#places.all,
      symbols: this.#symbols.all,
      symbolStarts: this.#symbolStarts.all,
      chunkStarts: this.#chunkStarts.all,
      mint: this.#mint.all,
      maxt: this.#maxt.all,
      segments: this.#segments.all,
      offsets: this.#offsets.all,
    };
  }
}

/**
 * Reads a difference of times. compat: they are u64 in the format, and i64 in Go: one below zero, where chunks of old
 * blocks overlap, is a number close to 2^64.
 */
function readDifference(cursor: ByteCursor): number {
  const { pos } = cursor;
  const value = readUvarint(cursor);
  return value <= Number.MAX_SAFE_INTEGER ? value : wrapped(cursor.bytes, pos, cursor.pos);
}

function wrapped(bytes: Uint8Array, from: number, to: number): number {
  let value = 0n;
  for (let i = to - 1; i >= from; i--) value = (value << 7n) | BigInt((bytes[i] as number) & 0x7f);
  return Number(BigInt.asIntN(64, value));
}
