/**
 * Metadata of remote write 2.0, which each series of each request carries, as MetricMetadata messages of remote write
 * 1.0, which name a family once. What is written is what was not written before: a request with metadata is walked a
 * second time (walk-request.ts), and nearly all would be.
 */
import type { SeriesV2 } from './series-v2.ts';
import type { Symbols } from './symbols.ts';
import type { WireWriter } from './wire-writer.ts';

/** limit: families that are remembered; beyond it all are forgotten and written once more. */
const FAMILIES_MAX = 65_536;

/** After so many requests all are written once more: one that was written may have been lost with its request. */
const REQUESTS_MAX = 1000;

/** How many types there are; what a later version adds is unknown. */
const TYPES = 8;

/** Tags of MetricMetadata in a WriteRequest and of its fields. */
const METADATA = 0x1a;
const TYPE = 0x08;
const FAMILY = 0x12;
const HELP = 0x22;
const UNIT = 0x2a;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What the series of a family have behind its name, by type: histogram, gauge histogram, summary. */
const SUFFIXES: Readonly<Record<number, readonly Uint8Array[]>> = {
  3: ['_bucket', '_count', '_sum'].map(encode),
  4: ['_bucket', '_gcount', '_gsum'].map(encode),
  5: ['_count', '_sum'].map(encode),
};

/** Writes what is new. */
export class MetadataForwarder {
  /** Of each metric name of the request, its number among the symbols: what was last seen with it, as a number. */
  #seen = new Float64Array(1024);
  /** Hash of a family's name to the hash of all that was written about it. */
  readonly #written = new Map<number, number>();
  #requests = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  /** Begins a request. */
  begin(symbols: Symbols, body: Uint8Array): void {
    const { count } = symbols;
    this.#bytes = body;
    if (count > this.#seen.length) this.#seen = new Float64Array(count * 2);
    else this.#seen.fill(0, 0, count);
    const full = this.#written.size > FAMILIES_MAX;
    if (++this.#requests < REQUESTS_MAX && !full) return;
    this.#requests = 0;
    this.#written.clear();
  }

  /** Writes the metadata of a series with a metric name, unless it is known. */
  write(out: WireWriter, symbols: Symbols, series: SeriesV2, nameRef: number): void {
    const { help, unit } = series;
    const type = series.type < TYPES ? series.type : 0;
    if (type === 0 && help === 0 && unit === 0) return;
    // Below 2^53 as long as there are fewer than 2^24 symbols; what is mistaken for another beyond that is written once less.
    const mark = (help * 0x1000000 + unit) * TYPES + type + 1;
    if (this.#seen[nameRef] === mark) return;
    this.#seen[nameRef] = mark;
    const from = symbols.from(nameRef);
    const end = this.#familyEnd(from, symbols.end(nameRef), type);
    const family = this.#hash(from, end, 0);
    let content = this.#hash(symbols.from(help), symbols.end(help), type);
    content = this.#hash(symbols.from(unit), symbols.end(unit), content + 1);
    if (this.#written.get(family) === content) return;
    this.#written.set(family, content);
    const helpSize = symbols.end(help) - symbols.from(help);
    const unitSize = symbols.end(unit) - symbols.from(unit);
    out.reserve(64 + end - from + helpSize + unitSize);
    const start = out.open(METADATA);
    out.byte(TYPE);
    out.varint(type);
    this.#text(out, FAMILY, from, end);
    this.#text(out, HELP, symbols.from(help), symbols.end(help));
    this.#text(out, UNIT, symbols.from(unit), symbols.end(unit));
    out.close(start);
  }

  #text(out: WireWriter, tag: number, from: number, end: number): void {
    if (from === end) return;
    out.byte(tag);
    out.varint(end - from);
    out.copy(this.#bytes, from, end);
  }

  /** Where the name of the family ends. compat: 2.0 has names of series only; senders of 1.0 send those of families. */
  #familyEnd(from: number, end: number, type: number): number {
    for (const suffix of SUFFIXES[type] ?? []) {
      const at = end - suffix.length;
      if (at > from && suffix.every((byte, i) => this.#bytes[at + i] === byte)) return at;
    }
    return end;
  }

  /** 52 bits of a text: two FNV-1a hashes of 26 bits. */
  #hash(from: number, end: number, seed: number): number {
    const bytes = this.#bytes;
    let a = 0x811c9dc5 ^ (seed | 0);
    let b = 0x050c5d1f ^ (seed / 0x4000000);
    for (let i = from; i < end; i++) {
      const byte = bytes[i] as number;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x01000193) ^ (b >>> 15);
    }
    return (a >>> 6) * 0x4000000 + (b >>> 6);
  }
}
