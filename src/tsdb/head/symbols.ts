/** The symbol table of a remote write 2.0 request: where each text lies in the body. Nothing is copied or decoded. */
import type { WireReader } from './wire-reader.ts';

const METRIC_NAME = new TextEncoder().encode('__name__');

/** Texts by number; made once, filled anew by each request. */
export class Symbols {
  count = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where the length of a text lies, where the text begins, where it ends: three numbers each. */
  #places = new Uint32Array(3 * 1024);

  /** Forgets all; the texts that come are in these bytes. */
  begin(bytes: Uint8Array): void {
    this.count = 0;
    this.#bytes = bytes;
  }

  /** Takes the text whose length the reader stands at, and moves behind it. @throws ShortBytesError. */
  add(reader: WireReader, end: number): void {
    const at = this.count * 3;
    if (at === this.#places.length) {
      const places = new Uint32Array(at * 2);
      places.set(this.#places);
      this.#places = places;
    }
    const lengthAt = reader.pos;
    const stop = reader.contentEnd(end);
    this.#places[at] = lengthAt;
    this.#places[at + 1] = reader.pos;
    this.#places[at + 2] = stop;
    this.count++;
    reader.pos = stop;
  }

  /** Where the length of a text lies; the text is behind it. */
  lengthAt(ref: number): number {
    return this.#places[ref * 3] as number;
  }

  /** Where a text begins. */
  from(ref: number): number {
    return this.#places[ref * 3 + 1] as number;
  }

  /** Where a text ends. */
  end(ref: number): number {
    return this.#places[ref * 3 + 2] as number;
  }

  /** Whether a text is `__name__`. */
  isMetricName(ref: number): boolean {
    const from = this.from(ref);
    if (this.end(ref) - from !== METRIC_NAME.length) return false;
    for (let i = 0; i < METRIC_NAME.length; i++) {
      if (this.#bytes[from + i] !== METRIC_NAME[i]) return false;
    }
    return true;
  }

  /** The bytes of a text: a view of the request. */
  bytes(ref: number): Uint8Array {
    return this.#bytes.subarray(this.from(ref), this.end(ref));
  }
}
