// kernel: memory=local
// XOR chunk decoder (docs/format/chunks.md). Twin: src/chunkenc/xor-twin.ts.
//
// The caller keeps 32 readable bytes after the chunk: one sample is at most 20 bytes, and the end is checked once a
// sample.

const STALE: u64 = 0x7ff0000000000002;

// @ts-ignore: decorator
@inline function be64(p: usize): u64 {
  // One instruction; bswap<u64> is a dozen.
  const order = i8x16(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
  return i64x2.extract_lane(i8x16.swizzle(v128.load(p), order), 0);
}

/** 64 bits from a bit on. */
// @ts-ignore: decorator
@inline function be64At(bp: u32): u64 {
  const p = <usize>(bp >> 3);
  const s = <u64>(bp & 7);
  // Where they begin with a byte nothing is left of the one behind.
  return (be64(p) << s) | (<u64>load<u8>(p + 8) >> (8 - s));
}

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
  let bp: u32 = <u32>p << 3;
  const bitEnd: u32 = <u32>end << 3;
  let bits: u64 = 0, trail: u64 = 0;
  for (let i: u32 = 1; i < count; i++) {
    // At least 57 valid bits: they do for a delta of delta of 16 bits and, mostly, for the value behind it.
    let w: u64 = be64(<usize>(bp >> 3)) << (bp & 7);
    if (i > 1) {
      const kind: u64 = w >> 62;
      if (kind == 2) {
        // The largest of the 14 bits' numbers is positive: -8191 to 8192.
        delta += <i64>(((w << 2 >> 50) + 8191) & 16383) - 8191;
        w <<= 16; bp += 16;
      } else if (kind < 2) {
        w <<= 1; bp += 1;
      } else {
        if (!(w & 0x2000000000000000)) {
          let d: i64 = <i64>((w << 3) >> 47);
          if (d > 65536) d -= 131072;
          delta += d; bp += 20;
        } else if (!(w & 0x1000000000000000)) {
          let d: i64 = <i64>((w << 4) >> 44);
          if (d > 524288) d -= 1048576;
          delta += d; bp += 24;
        } else {
          bp += 4;
          delta += <i64>be64At(bp); bp += 64;
        }
        w = be64(<usize>(bp >> 3)) << (bp & 7);
      }
    }
    t += delta;
    if (<i64>w >= 0) bp += 1;
    else {
      // Whether a value has a window of its own is hard to predict: both are computed, and one is taken.
      const own: u64 = 0 - ((w >> 62) & 1);
      const ownBits: u64 = (((w << 7 >> 58) - 1) & 63) + 1;
      const ownTrail: u64 = 64 - (w << 2 >> 59) - ownBits;
      if (<i64>(ownTrail & own) < 0) return -1;
      bits ^= (bits ^ ownBits) & own;
      trail ^= (trail ^ ownTrail) & own;
      if (bits == 0) return -1; // a reused window before any window was given
      const head: u64 = 2 + (own & 11);
      bp += <u32>head;
      // 57 bits less those of the delta and the head.
      let x: u64 = w << head;
      if (bits > 28) {
        x = be64(<usize>(bp >> 3)) << (bp & 7);
        if (bits > 56) x |= <u64>load<u8>(<usize>(bp >> 3) + 8) >> <u64>(8 - (bp & 7));
      }
      v ^= (x >> (64 - bits)) << trail;
      bp += <u32>bits;
    }
    if (bp > bitEnd) return -1;
    if (v == STALE && dropStale) continue;
    store<f64>(outT + o, <f64>t);
    store<u64>(outV + o, v);
    o += 8;
  }
  return <i32>(o >> 3);
}
