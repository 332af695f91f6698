/** Writes chunks bit by bit, from the high end of each byte on (prometheus tsdb/chunkenc/bstream.go). */

/** Bits under construction, in a buffer that grows. */
export class BitWriter {
  /** What is behind the last bit is zeros. Replaced when it grows. */
  bytes: Uint8Array;
  /** How many bits there are. */
  pos = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** How many bytes there are, the last one filled with zeros. */
  get byteLength(): number {
    return (this.pos + 7) >>> 3;
  }

  /** Appends the low 0 <= n <= 32 bits of a number. */
  bits(value: number, n: number): void {
    if ((this.pos + n + 7) >>> 3 > this.bytes.length) this.#grow();
    const { bytes } = this;
    for (let left = n; left > 0;) {
      const free = 8 - (this.pos & 7);
      const take = Math.min(free, left);
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      const index = this.pos >>> 3;
      bytes[index] = (bytes[index] as number) | (part << (free - take));
      this.pos += take;
      left -= take;
    }
  }

  /** Appends Go's unsigned varint of an integer from 0 to 2^53. */
  uvarint(value: number): void {
    let v = value;
    for (; v >= 0x80; v = Math.floor(v / 128)) this.bits((v % 128) | 0x80, 8);
    this.bits(v, 8);
  }

  /** Appends Go's zigzag varint of an integer within ±2^53. */
  varint(value: number): void {
    // Twice the value would not fit a double: the lowest seven bits go first.
    const magnitude = value < 0 ? -value - 1 : value;
    const low = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
    const rest = Math.floor(magnitude / 64);
    this.bits(rest > 0 ? low | 0x80 : low, 8);
    if (rest > 0) this.uvarint(rest);
  }

  #grow(): void {
    const more = new Uint8Array(Math.max(64, this.bytes.length * 2));
    more.set(this.bytes);
    this.bytes = more;
  }
}
