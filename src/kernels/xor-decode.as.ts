// kernel: memory=local
// XOR chunk decoder (docs/format/chunks.md). Twin: src/chunkenc/xor-twin.ts.
//
// The caller keeps 32 readable bytes after the chunk: one sample is at most 20 bytes, and the end is checked once a
// sample.

const STALE: u64 = 0x7ff0000000000002;

// @ts-ignore: decorator
@inline function be64(p: usize): u64 { return bswap<u64>(load<u64>(p)); }

/**
 * Decodes `count` samples of the chunk at `src` (`len` bytes with its 2-byte count, which is not read) to f64
 * timestamps at `outT` and value bits at `outV`. Stale markers are left out when `dropStale` is not 0.
 * Returns how many samples were written, or -1 when the bytes end early.
 */
export function decode(src: usize, len: u32, count: u32, outT: usize, outV: usize, dropStale: u32): i32 {
  if (count == 0) return 0;
  const end: usize = src + len;
  let p = src + 2;
  let x: u64 = 0, s: u64 = 0, c: u64 = 0;
  do {
    if (p >= end || s > 63) return -1;
    c = load<u8>(p++);
    x |= (c & 127) << s;
    s += 7;
  } while (c & 128);
  let t: i64 = <i64>(x >> 1) ^ -(<i64>(x & 1));
  if (p + 8 > end) return -1;
  let v: u64 = be64(p);
  p += 8;
  let o: usize = 0;
  if (!(dropStale && v == STALE)) { store<f64>(outT, <f64>t); store<u64>(outV, v); o = 8; }
  if (count == 1) return <i32>(o >> 3);

  x = 0; s = 0;
  do {
    if (p >= end || s > 63) return -1;
    c = load<u8>(p++);
    x |= (c & 127) << s;
    s += 7;
  } while (c & 128);
  let delta: i64 = <i64>x;
  let bp: u64 = <u64>p << 3;
  const bitEnd: u64 = <u64>end << 3;
  let bits: u64 = 0, trail: u64 = 0;
  let w: u64 = 0;
  for (let i: u32 = 1; i < count; i++) {
    if (i > 1) {
      w = be64(<usize>(bp >> 3)) << (bp & 7); // at least 57 valid bits
      if (<i64>w >= 0) { bp += 1; }
      else if (!(w & 0x4000000000000000)) {
        let d: i64 = <i64>((w << 2) >> 50);
        if (d > 8192) d -= 16384;
        delta += d; bp += 16;
      } else if (!(w & 0x2000000000000000)) {
        let d: i64 = <i64>((w << 3) >> 47);
        if (d > 65536) d -= 131072;
        delta += d; bp += 20;
      } else if (!(w & 0x1000000000000000)) {
        let d: i64 = <i64>((w << 4) >> 44);
        if (d > 524288) d -= 1048576;
        delta += d; bp += 24;
      } else {
        bp += 4;
        w = be64(<usize>(bp >> 3)) << (bp & 7);
        if (bp & 7) w |= <u64>load<u8>(<usize>(bp >> 3) + 8) >> (8 - (bp & 7));
        delta += <i64>w; bp += 64;
      }
    }
    t += delta;
    w = be64(<usize>(bp >> 3)) << (bp & 7);
    if (<i64>w >= 0) { bp += 1; }
    else {
      if (!(w & 0x4000000000000000)) { bp += 2; }
      else {
        const lead: u64 = (w << 2) >> 59;
        bits = (w << 7) >> 58;
        if (bits == 0) bits = 64;
        if (lead + bits > 64) return -1;
        trail = 64 - lead - bits;
        bp += 13;
      }
      if (bits == 0) return -1; // a reused window before any window was given
      w = be64(<usize>(bp >> 3)) << (bp & 7);
      if (bits > 56 && (bp & 7)) w |= <u64>load<u8>(<usize>(bp >> 3) + 8) >> (8 - (bp & 7));
      v ^= (w >> (64 - bits)) << trail;
      bp += bits;
    }
    if (bp > bitEnd) return -1;
    if (dropStale && v == STALE) continue;
    store<f64>(outT + o, <f64>t);
    store<u64>(outV + o, v);
    o += 8;
  }
  return <i32>(o >> 3);
}
