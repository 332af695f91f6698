/** Writes chunks bit by bit, from the high end of each byte on (prometheus tsdb/chunkenc/bstream.go). */

const WORD = 4294967296;

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

  /** Appends Go's varint of an int64 as it is: negative ones, which are none of a sound chunk, take ten bytes. */
  uvarint(value: number): void {
    this.#varintHalves(Math.floor(value / WORD) >>> 0, value >>> 0);
  }

  /** Appends Go's zigzag varint of an int64. */
  varint(value: number): void {
    const sign = value < 0 ? 0xffffffff : 0;
    const lo = value >>> 0;
    const hi = Math.floor(value / WORD) >>> 0;
    this.#varintHalves((((hi << 1) | (lo >>> 31)) ^ sign) >>> 0, ((lo << 1) ^ sign) >>> 0);
  }

  #varintHalves(high: number, low: number): void {
    let hi = high;
    let lo = low;
    while (hi > 0 || lo >= 0x80) {
      this.bits((lo & 0x7f) | 0x80, 8);
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    this.bits(lo, 8);
  }

  #grow(): void {
    const more = new Uint8Array(Math.max(64, this.bytes.length * 2));
    more.set(this.bytes);
    this.bytes = more;
  }
}
