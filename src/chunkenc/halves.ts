/** The bits of columns of doubles. */

/** Doubles as halves, by the array they are in: makes a view when that is another one than before, as when it grew. */
export class Halves {
  #of: Float64Array | undefined;
  #words: Uint32Array = new Uint32Array(0);

  /** The same memory as 32-bit words: the low half of double i is number 2i, the high one 2i + 1. */
  of(doubles: Float64Array): Uint32Array {
    if (doubles !== this.#of) {
      this.#of = doubles;
      this.#words = new Uint32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2);
    }
    return this.#words;
  }
}
