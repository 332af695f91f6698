/**
 * The hash by which Prometheus spreads series over shards: XXH64 of name, ff, value, ff, … in label order. It is the same in
 * all versions (prometheus model/labels/sharding.go, StableHash).
 */
import { xxhash64 } from '../../lib/xxhash64.ts';
import type { Labels } from '../../model/labels.ts';

/** Behind each text; no text has it that is UTF-8. */
const SEPARATOR = 0xff;
/** A UTF-16 unit takes three bytes at the most. */
const BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();

/** Hashes label sets, one after the other: keeps its bytes. */
export class StableHasher {
  #bytes = new Uint8Array(1024);

  /** The hash of a label set. */
  hash({ pairs }: Labels): bigint {
    let size = 0;
    for (const text of pairs) size = this.#put(text, size);
    return xxhash64(this.#bytes.subarray(0, size));
  }

  #put(text: string, at: number): number {
    const most = at + text.length * BYTES_PER_UNIT + 1;
    if (most > this.#bytes.length) {
      const bytes = new Uint8Array(most * 2);
      bytes.set(this.#bytes.subarray(0, at));
      this.#bytes = bytes;
    }
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(at));
    this.#bytes[at + written] = SEPARATOR;
    return at + written + 1;
  }
}
