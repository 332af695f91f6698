/** Byte strings of the entries of a batch, one behind the other in one growing memory. */

/** Byte strings by number. */
export class ByteArena {
  #bytes = new Uint8Array(256);
  /** Where each string ends; the next one begins there. */
  #ends = new Uint32Array(16);
  #count = 0;

  /** Forgets the strings from a number on; keeps the room. */
  truncate(count: number): void {
    this.#count = count;
  }

  /** Appends a copy of bytes[from..to]. */
  add(bytes: Uint8Array, from = 0, to = bytes.length): void {
    const start = this.#start(this.#count);
    const end = start + to - from;
    if (end > this.#bytes.length) {
      const more = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      more.set(this.#bytes.subarray(0, start));
      this.#bytes = more;
    }
    if (this.#count === this.#ends.length) {
      const more = new Uint32Array(this.#count * 2);
      more.set(this.#ends);
      this.#ends = more;
    }
    this.#bytes.set(bytes.subarray(from, to), start);
    this.#ends[this.#count++] = end;
  }

  /** The i-th string: a view, valid until the arena is added to. */
  at(i: number): Uint8Array {
    return this.#bytes.subarray(this.#start(i), this.#ends[i]);
  }

  #start(i: number): number {
    return i === 0 ? 0 : (this.#ends[i - 1] as number);
  }
}
