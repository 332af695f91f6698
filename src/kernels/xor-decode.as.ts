// kernel: memory=local
// XOR chunk decoder (docs/format/chunks.md). Twin: src/chunkenc/xor-twin.ts.
//
// The caller keeps 32 readable bytes after the chunk: one sample is at most 20 bytes, and the end is checked once a
// sample.

const STALE: u64 = 0x7ff0000000000002;

// @ts-ignore: decorator
@inline function be64(p: usize): u64 {
  // One instruction; bswap<u64> is a dozen. A lane of floats is one to take out, one of integers two.
  const order = i8x16(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
  return reinterpret<u64>(f64x2.extract_lane(i8x16.swizzle(v128.load(p), order), 0));
}

/** So many bits from a bit on, and others behind them. */
// @ts-ignore: decorator
@inline function bitsAt(bp: u32, bits: u64): u64 {
  const p = <usize>(bp >> 3);
  const x: u64 = be64(p) << (bp & 7);
  // Where they begin with a byte nothing is left of the one behind.
  return bits > 56 ? x | (<u64>load<u8>(p + 8) >> (8 - (bp & 7))) : x;
}

/** A delta of delta of more than 16 bits, of which the first are in w. */
function longDelta(w: u64, bp: u32): i64 {
  if (!(w & 0x2000000000000000)) {
    const d: i64 = <i64>((w << 3) >> 47);
    return d > 65536 ? d - 131072 : d;
  }
  if (!(w & 0x1000000000000000)) {
    const d: i64 = <i64>((w << 4) >> 44);
    return d > 524288 ? d - 1048576 : d;
  }
  return <i64>bitsAt(bp + 4, 64);
}

/** How many bits it takes. */
// @ts-ignore: decorator
@inline function longSize(w: u64): u32 {
  if (!(w & 0x2000000000000000)) return 20;
  return w & 0x1000000000000000 ? 68 : 24;
}

/** Where a number of seven bits a byte ends, 0 when the bytes end before it does. */
function varintEnd(from: usize, end: usize): usize {
  for (let p = from; p < end && p < from + 10; p++) if (load<u8>(p) < 128) return p + 1;
  return 0;
}

/** A number of seven bits a byte, which ends. */
function uvarint(from: usize): u64 {
  let x: u64 = 0, s: u64 = 0, c: u64 = 0;
  let p = from;
  do {
    c = load<u8>(p++);
    x |= (c & 127) << s;
    s += 7;
  } while (c & 128);
  return x;
}

/**
 * Decodes `count` samples of the chunk at `src` (`len` bytes with its 2-byte count, which is not read) to f64
 * timestamps at `outT` and value bits at `outV`. Stale markers are left out when `dropStale` is not 0.
 * Returns how many samples were written, or -1 when the bytes end early.
 */
export function decode(src: usize, len: u32, count: u32, outT: usize, outV: usize, dropStale: u32): i32 {
  if (count == 0) return 0;
  const end: usize = src + len;
  const start = varintEnd(src + 2, end);
  if (start == 0 || start + 8 > end) return -1;
  const first: u64 = uvarint(src + 2);
  let t: i64 = <i64>(first >> 1) ^ -(<i64>(first & 1));
  let v: u64 = be64(start);
  let o: usize = 0;
  if (!(dropStale && v == STALE)) { store<f64>(outT, <f64>t); store<u64>(outV, v); o = 8; }
  if (count == 1) return <i32>(o >> 3);

  const deltaAt = varintEnd(start + 8, end);
  if (deltaAt == 0) return -1;
  let delta: i64 = <i64>uvarint(start + 8);
  let bp: u32 = <u32>deltaAt << 3;
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
        delta += longDelta(w, bp);
        bp += longSize(w);
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
      if (bits > 28) x = bitsAt(bp, bits);
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

/**
 * Two chunks of as many samples, two or more, at once: one waits for its bits while the other is computed. Samples of the second
 * follow those of the first. Returns how many were written, or -1 when anything is wrong with either. The loop is that of
 * `decode`, twice, with `right` for 64 less the bits of a value: 64 before any window was given.
 */
function decodePair(
  srcA: usize, lenA: u32, srcB: usize, lenB: u32, count: u32, outT: usize, outV: usize, dropStale: u32,
): i32 {
  const endA: usize = srcA + lenA;
  const startA = varintEnd(srcA + 2, endA);
  if (startA == 0 || startA + 8 > endA) return -1;
  const deltaAAt = varintEnd(startA + 8, endA);
  if (deltaAAt == 0) return -1;
  const firstA: u64 = uvarint(srcA + 2);
  let tA: i64 = <i64>(firstA >> 1) ^ -(<i64>(firstA & 1)), deltaA: i64 = <i64>uvarint(startA + 8);
  let vA: u64 = be64(startA), rightA: u64 = 64, trailA: u64 = 0;
  let bpA: u32 = <u32>deltaAAt << 3;
  const bitEndA: u32 = <u32>endA << 3;
  let outTA: usize = outT, outVA: usize = outV;
  const endB: usize = srcB + lenB;
  const startB = varintEnd(srcB + 2, endB);
  if (startB == 0 || startB + 8 > endB) return -1;
  const deltaBAt = varintEnd(startB + 8, endB);
  if (deltaBAt == 0) return -1;
  const firstB: u64 = uvarint(srcB + 2);
  let tB: i64 = <i64>(firstB >> 1) ^ -(<i64>(firstB & 1)), deltaB: i64 = <i64>uvarint(startB + 8);
  let vB: u64 = be64(startB), rightB: u64 = 64, trailB: u64 = 0;
  let bpB: u32 = <u32>deltaBAt << 3;
  const bitEndB: u32 = <u32>endB << 3;
  let outTB: usize = outT + (<usize>count << 3), outVB: usize = outV + (<usize>count << 3);
  if (!(vA == STALE && dropStale)) {
    store<f64>(outTA, <f64>tA);
    store<u64>(outVA, vA);
    outTA += 8;
    outVA += 8;
  }
  if (!(vB == STALE && dropStale)) {
    store<f64>(outTB, <f64>tB);
    store<u64>(outVB, vB);
    outTB += 8;
    outVB += 8;
  }
  for (let i: u32 = 1; i < count; i++) {
    let wA: u64 = be64(<usize>(bpA >> 3)) << (bpA & 7);
    if (i > 1) {
      const kindA: u64 = wA >> 62;
      if (kindA == 2) {
        const dA: i64 = <i64>(wA << 2) >> 50;
        deltaA += dA == -8192 ? 8192 : dA;
        wA <<= 16;
        bpA += 16;
      } else if (kindA < 2) {
        wA <<= 1;
        bpA += 1;
      } else {
        deltaA += longDelta(wA, bpA);
        bpA += longSize(wA);
        wA = be64(<usize>(bpA >> 3)) << (bpA & 7);
      }
    }
    tA += deltaA;
    if (<i64>wA >= 0) bpA += 1;
    else {
      const ownA: u64 = 0 - ((wA >> 62) & 1);
      const ownRightA: u64 = (0 - (wA << 7 >> 58)) & 63;
      rightA ^= (rightA ^ ownRightA) & ownA;
      trailA ^= (trailA ^ (ownRightA - (wA << 2 >> 59))) & ownA;
      if (<i64>(trailA | (63 - rightA)) < 0) return -1;
      const headA: u64 = 2 + (ownA & 11);
      bpA += <u32>headA;
      const xA: u64 = rightA < 36 ? bitsAt(bpA, 64 - rightA) : wA << headA;
      vA ^= (xA >> rightA) << trailA;
      bpA += 64 - <u32>rightA;
    }
    if (bpA > bitEndA) return -1;
    if (!(vA == STALE && dropStale)) {
      store<f64>(outTA, <f64>tA);
      store<u64>(outVA, vA);
      outTA += 8;
      outVA += 8;
    }
    let wB: u64 = be64(<usize>(bpB >> 3)) << (bpB & 7);
    if (i > 1) {
      const kindB: u64 = wB >> 62;
      if (kindB == 2) {
        const dB: i64 = <i64>(wB << 2) >> 50;
        deltaB += dB == -8192 ? 8192 : dB;
        wB <<= 16;
        bpB += 16;
      } else if (kindB < 2) {
        wB <<= 1;
        bpB += 1;
      } else {
        deltaB += longDelta(wB, bpB);
        bpB += longSize(wB);
        wB = be64(<usize>(bpB >> 3)) << (bpB & 7);
      }
    }
    tB += deltaB;
    if (<i64>wB >= 0) bpB += 1;
    else {
      const ownB: u64 = 0 - ((wB >> 62) & 1);
      const ownRightB: u64 = (0 - (wB << 7 >> 58)) & 63;
      rightB ^= (rightB ^ ownRightB) & ownB;
      trailB ^= (trailB ^ (ownRightB - (wB << 2 >> 59))) & ownB;
      if (<i64>(trailB | (63 - rightB)) < 0) return -1;
      const headB: u64 = 2 + (ownB & 11);
      bpB += <u32>headB;
      const xB: u64 = rightB < 36 ? bitsAt(bpB, 64 - rightB) : wB << headB;
      vB ^= (xB >> rightB) << trailB;
      bpB += 64 - <u32>rightB;
    }
    if (bpB > bitEndB) return -1;
    if (!(vB == STALE && dropStale)) {
      store<f64>(outTB, <f64>tB);
      store<u64>(outVB, vB);
      outTB += 8;
      outVB += 8;
    }
  }
  // What the first has left out.
  const nA: usize = outTA - outT, sizeB: usize = outTB - outT - (<usize>count << 3);
  if (nA < <usize>count << 3) {
    memory.copy(outTA, outT + (<usize>count << 3), sizeB);
    memory.copy(outVA, outV + (<usize>count << 3), sizeB);
  }
  return <i32>((nA + sizeB) >> 3);
}

/** As src/chunkenc/encodings.ts and src/tsdb/chunks/segment-format.ts say. */
const ENCODING_XOR: u8 = 1;
const LENGTH_BYTES_MAX: usize = 5;
const CRC_BYTES: usize = 4;

/**
 * The XOR chunk in the frame of a segment file at `p`: its length, its encoding, the data and a checksum, which is not looked at.
 * Answers where the data are, their size in 24 bits and the count of samples in 16; 0 when there is no such chunk or its frame
 * ends after `end`.
 */
function chunkAt(p: usize, end: usize): u64 {
  const after = varintEnd(p, min(end, p + LENGTH_BYTES_MAX));
  if (after == 0 || after >= end || load<u8>(after) != ENCODING_XOR) return 0;
  const size: u64 = uvarint(p);
  if (size < 2 || size + 1 + CRC_BYTES > <u64>(end - after)) return 0;
  const count: u64 = (<u64>load<u8>(after + 1) << 8) | load<u8>(after + 2);
  // A sample takes at least two bits.
  if (count > size * 4) return 0;
  return <u64>(after + 1) << 40 | size << 16 | count;
}

// @ts-ignore: decorator
@inline function dataOf(chunk: u64): usize { return <usize>(chunk >> 40); }

// @ts-ignore: decorator
@inline function sizeOf(chunk: u64): u32 { return <u32>(chunk >> 16) & 0xffffff; }

// @ts-ignore: decorator
@inline function countOf(chunk: u64): u32 { return <u32>chunk & 0xffff; }

/** Where the frame of a chunk ends. */
// @ts-ignore: decorator
@inline function endOf(chunk: u64): usize { return dataOf(chunk) + sizeOf(chunk) + CRC_BYTES; }

/**
 * Decodes the chunks of so many frames, one behind the other from `at` on, the last of which begins at `lastAt`; none ends
 * after `end`, which is below 2^24. Columns as `decode` writes them, with room for so many samples. Returns how many were
 * written, -1 when anything is not as it must be, or -2 less the room that is needed.
 */
export function decodeFrames(
  at: usize, end: usize, frames: u32, lastAt: usize, room: u32, outT: usize, outV: usize, dropStale: u32,
): i32 {
  let p = at;
  let total: u32 = 0;
  for (let i: u32 = 1; i <= frames; i++) {
    if (i == frames && p != lastAt) return -1;
    const chunk = chunkAt(p, end);
    if (chunk == 0) return -1;
    total += countOf(chunk);
    p = endOf(chunk);
  }
  if (total > room) return -2 - <i32>total;
  let o: usize = 0;
  p = at;
  for (let i: u32 = 0; i < frames; i++) {
    const a = chunkAt(p, end);
    p = endOf(a);
    const count = countOf(a);
    const b = i + 1 < frames && count > 1 ? chunkAt(p, end) : 0;
    let n: i32;
    if (b != 0 && countOf(b) == count) {
      n = decodePair(dataOf(a), sizeOf(a), dataOf(b), sizeOf(b), count, outT + o, outV + o, dropStale);
      p = endOf(b);
      i++;
    } else n = decode(dataOf(a), sizeOf(a), count, outT + o, outV + o, dropStale);
    if (n < 0) return -1;
    o += <usize>n << 3;
  }
  return <i32>(o >> 3);
}
