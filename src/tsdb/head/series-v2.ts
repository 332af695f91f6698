/** What a TimeSeries message of remote write 2.0 says in numbers of symbols: its labels and its metadata. */
import { decodeUtf8 } from '../../lib/utf8.ts';
import { quoteGo } from '../../lib/go-strings.ts';
import type { Symbols } from './symbols.ts';
import type { WireReader } from './wire-reader.ts';

/** Tags of a TimeSeries (prompb/io/prometheus/write/v2/types.proto): field number << 3 | wire type. */
export const SERIES_V2 = {
  ref: 0x08,
  refs: 0x0a,
  sample: 0x12,
  histogram: 0x1a,
  exemplar: 0x22,
  metadata: 0x2a,
} as const;

const METADATA = { type: 0x08, help: 0x18, unit: 0x20 } as const;

const LEGACY_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The series at hand; filled anew for each. */
export class SeriesV2 {
  /** Name, value, … of the labels, and behind them those of an exemplar while it is read. */
  refs = new Uint32Array(256);
  refCount = 0;
  /** Samples and histograms. */
  samples = 0;
  exemplars = 0;
  /** As MetricMetadata.MetricType numbers it; 0 is unknown. */
  type = 0;
  help = 0;
  unit = 0;

  /** Reads a message that ends at `end`, but for its samples. @throws ShortBytesError. */
  read(reader: WireReader, end: number): void {
    this.refCount = this.samples = this.exemplars = this.type = this.help = this.unit = 0;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === SERIES_V2.refs) this.readRefs(reader, reader.contentEnd(end));
      else if (tag === SERIES_V2.ref) this.addRef(reader.varint(end));
      else if (tag === SERIES_V2.metadata) this.#readMetadata(reader, reader.contentEnd(end));
      else {
        if (tag === SERIES_V2.sample || tag === SERIES_V2.histogram) this.samples++;
        else if (tag === SERIES_V2.exemplar) this.exemplars++;
        reader.skip(tag & 7, end);
      }
    }
  }

  /** Appends packed refs. */
  readRefs(reader: WireReader, end: number): void {
    this.#reserve(end - reader.pos);
    const { refs } = this;
    const { bytes } = reader;
    let count = this.refCount;
    // perf: refs are half of what is read; those of one byte and two are read here, in registers.
    let pos = reader.pos;
    while (pos < end) {
      const first = bytes[pos] as number;
      const second = bytes[pos + 1] as number;
      if (first < 0x80) {
        refs[count++] = first;
        pos++;
      } else if (second < 0x80 && pos + 2 <= end) {
        refs[count++] = (first & 0x7f) | (second << 7);
        pos += 2;
      } else {
        reader.pos = pos;
        refs[count++] = reader.varint(end);
        ({ pos } = reader);
      }
    }
    reader.pos = pos;
    this.refCount = count;
  }

  /** Appends a ref. */
  addRef(ref: number): void {
    this.#reserve(1);
    this.refs[this.refCount++] = ref;
  }

  #reserve(count: number): void {
    const need = this.refCount + count;
    if (need <= this.refs.length) return;
    const refs = new Uint32Array(Math.max(need, this.refs.length * 2));
    refs.set(this.refs);
    this.refs = refs;
  }

  /** Why Prometheus refuses the series; '' when it does not. */
  problem(symbols: Symbols): string {
    const labels = this.refsProblem(symbols, 0);
    if (labels !== '') return `parsing labels for series ${this.#refsText()}: ${labels}`;
    const { help, unit } = this;
    const size = symbols.count;
    if (unit >= size || help >= size) {
      const which = unit >= size ? `unit_ref ${unit}` : `help_ref ${help}`;
      const reason = `metadata ${which} outside of symbols table (size ${size})`;
      return `parsing metadata for series ${this.#refsText()}: ${reason}`;
    }
    // compat: Prometheus sends an exemplar in a TimeSeries of its own, and refuses that when it is the receiver.
    if (this.samples + this.exemplars > 0) return '';
    const text = this.text(symbols);
    return `TimeSeries must contain at least one sample or histogram for series ${text}`;
  }

  /** What is wrong with the refs from a place on; '' when nothing is. */
  refsProblem(symbols: Symbols, from: number): string {
    const { refs, refCount } = this;
    const size = symbols.count;
    if ((refCount - from) % 2 !== 0) return `invalid labelRefs length ${refCount - from}`;
    for (let i = from; i < refCount; i += 2) {
      const name = refs[i] as number;
      const value = refs[i + 1] as number;
      if (name >= size || value >= size) {
        return `labelRefs ${name} (name) = ${value} (value) outside of symbols table (size ${size})`;
      }
    }
    return '';
  }

  /** The labels as Prometheus prints them, of refs that are sound. */
  text(symbols: Symbols): string {
    const pairs: [Uint8Array, Uint8Array][] = [];
    for (let i = 0; i + 1 < this.refCount; i += 2) {
      const name = symbols.bytes(this.refs[i] as number);
      pairs.push([name, symbols.bytes(this.refs[i + 1] as number)]);
    }
    const texts = pairs
      .sort((a, b) => Buffer.compare(a[0], b[0]))
      .map(([name, value]) => `${nameText(decodeUtf8(name))}=${quoteGo(decodeUtf8(value))}`);
    return `{${texts.join(', ')}}`;
  }

  #refsText(): string {
    return `[${this.refs.subarray(0, this.refCount).join(' ')}]`;
  }

  #readMetadata(reader: WireReader, end: number): void {
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === METADATA.type) this.type = reader.varint(end);
      else if (tag === METADATA.help) this.help = reader.varint(end);
      else if (tag === METADATA.unit) this.unit = reader.varint(end);
      else reader.skip(tag & 7, end);
    }
  }
}

function nameText(name: string): string {
  return LEGACY_NAME.test(name) ? name : quoteGo(name);
}
