// kernel: memory=local
// Chunks of a segment file as messages of the StoreAPI: checked, hashed, framed. Twin: src/bucket/read/frame-chunks-twin.ts.
//
//   in    [length uvarint] [encoding] [data] [crc32c]   as a segment file has them, at the offsets given
//   out   the field `chunks` of a Series, one behind the other: AggrChunk { 1 mint  2 maxt  3 raw or 4 to 8, the aggregates:
//         { 1 type  2 data  3 xxhash64 of data } }

const OK: u32 = 0;
/** The chunk reaches over the end of the source; the second word is how many bytes it takes. */
const SHORT: u32 = 1;
const BAD_CHECKSUM: u32 = 2;
/** The encoding, in the second word, is none that passes as it stands. */
const OTHER_ENCODING: u32 = 3;
/** An aggregate that was asked for, in the second word, is not there. */
const NO_AGGREGATE: u32 = 4;
const MALFORMED: u32 = 5;
const FULL: u32 = 6;

const AGGR: u32 = 0xff;
/** Bytes beside the data: times, and tag, length, type and hash of six chunks. */
const OVERHEAD: usize = 192;
/** The field's tag, and the room for its length. */
const PREFIX: usize = 6;
const CHUNKS_TAG: u8 = 0x12;

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

// @ts-ignore: decorator
@inline function round(lane: u64, word: u64): u64 { return rotl<u64>(lane + word * P2, 31) * P1; }

/** XXH64 with seed 0. */
function xxh64(from: usize, length: usize): u64 {
  let p = from;
  const end = from + length;
  let h: u64 = P5;
  if (length >= 32) {
    let a: u64 = P1 + P2, b: u64 = P2, c: u64 = 0, d: u64 = 0 - P1;
    for (; p + 32 <= end; p += 32) {
      a = round(a, load<u64>(p));
      b = round(b, load<u64>(p, 8));
      c = round(c, load<u64>(p, 16));
      d = round(d, load<u64>(p, 24));
    }
    h = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    h = (h ^ round(0, a)) * P1 + P4;
    h = (h ^ round(0, b)) * P1 + P4;
    h = (h ^ round(0, c)) * P1 + P4;
    h = (h ^ round(0, d)) * P1 + P4;
  }
  h += <u64>length;
  for (; p + 8 <= end; p += 8) h = rotl<u64>(h ^ round(0, load<u64>(p)), 27) * P1 + P4;
  if (p + 4 <= end) {
    h = rotl<u64>(h ^ (<u64>load<u32>(p) * P1), 23) * P2 + P3;
    p += 4;
  }
  for (; p < end; p++) h = rotl<u64>(h ^ (<u64>load<u8>(p) * P5), 11) * P1;
  h = (h ^ (h >> 33)) * P2;
  h = (h ^ (h >> 29)) * P3;
  return h ^ (h >> 32);
}

/** Eight bytes more of a CRC-32C, with eight tables of 256 words. */
// @ts-ignore: decorator
@inline function crcStep(crc: u32, p: usize, tables: usize): u32 {
  const low: u32 = crc ^ load<u32>(p);
  const high: u32 = load<u32>(p, 4);
  return load<u32>(tables + 7168 + ((low & 255) << 2)) ^
    load<u32>(tables + 6144 + (((low >> 8) & 255) << 2)) ^
    load<u32>(tables + 5120 + (((low >> 16) & 255) << 2)) ^
    load<u32>(tables + 4096 + ((low >> 24) << 2)) ^
    load<u32>(tables + 3072 + ((high & 255) << 2)) ^
    load<u32>(tables + 2048 + (((high >> 8) & 255) << 2)) ^
    load<u32>(tables + 1024 + (((high >> 16) & 255) << 2)) ^
    load<u32>(tables + ((high >> 24) << 2));
}

/** The rest of a CRC-32C, and its end. */
function crcTail(start: u32, from: usize, end: usize, tables: usize): u32 {
  let crc = start;
  let p = from;
  for (; p + 8 <= end; p += 8) crc = crcStep(crc, p, tables);
  for (; p < end; p++) crc = load<u32>(tables + (((crc ^ load<u8>(p)) & 255) << 2)) ^ (crc >> 8);
  return ~crc;
}

/**
 * The checksums of two chunks, to two words. perf: a step waits for the one before it; of two chunks in turn, both are done in the time
 * of one.
 */
function crcPair(a: usize, aEnd: usize, b: usize, bEnd: usize, tables: usize, out: usize): void {
  let x: u32 = 0xffffffff, y: u32 = 0xffffffff;
  let p = a, q = b;
  while (p + 8 <= aEnd && q + 8 <= bEnd) {
    x = crcStep(x, p, tables);
    y = crcStep(y, q, tables);
    p += 8;
    q += 8;
  }
  store<u32>(out, crcTail(x, p, aEnd, tables));
  store<u32>(out, crcTail(y, q, bEnd, tables), 4);
}

/** Reflected, as the tables. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** The product of two polynomials modulo that of CRC-32C, highest powers in the lowest bits. Without branches: they are random. */
function multiply(a: u32, b: u32): u32 {
  let product: u32 = 0;
  let shifted = b;
  for (let i: u32 = 0; i < 32; i++) {
    product ^= shifted & (0 - ((a >> (31 - i)) & 1));
    shifted = (shifted >> 1) ^ (POLYNOMIAL & (0 - (shifted & 1)));
  }
  return product;
}

/**
 * What the CRC-32C of all bytes from the first chunk to the end of the last must be, when all checksums are right: made of these alone,
 * without a look at the data. `powers[n]` is x to the 8n. Stores whether it could be told, and the checksum, at `out`: not where
 * chunks do not follow each other.
 */
function expect(src: usize, offsets: usize, n: u32, found: usize, tables: usize, powers: usize, powersMax: usize, out: usize): void {
  store<u32>(out, 0);
  let crc: u32 = 0xffffffff;
  let behind: usize = 0;
  for (let i: u32 = 0; i < n; i++) {
    const begin = src + load<u32>(offsets + (<usize>i << 2));
    if (i > 0 && begin != behind) return;
    const p: usize = load<u32>(found + (<usize>i << 3));
    const end: usize = load<u32>(found + (<usize>i << 3), 4);
    if (end - p >= powersMax) return;
    for (let q = begin; q < p; q++) crc = load<u32>(tables + (((crc ^ load<u8>(q)) & 255) << 2)) ^ (crc >> 8);
    // A register r becomes r times the power, plus what the data make of 0: of that, the checksum tells.
    crc = multiply(load<u32>(powers + ((end - p) << 2)), ~crc) ^ ~bswap<u32>(load<u32>(end));
    const word: u32 = crc ^ load<u32>(end);
    crc = load<u32>(tables + 3072 + ((word & 255) << 2)) ^
      load<u32>(tables + 2048 + (((word >> 8) & 255) << 2)) ^
      load<u32>(tables + 1024 + (((word >> 16) & 255) << 2)) ^
      load<u32>(tables + ((word >> 24) << 2));
    behind = end + 4;
  }
  store<u32>(out, 1);
  store<u32>(out, ~crc, 4);
}

function uvarint(p: usize, x: u64): usize {
  let at = p;
  let left = x;
  while (left >= 128) { store<u8>(at++, <u8>(left | 128)); left >>= 7; }
  store<u8>(at, <u8>left);
  return at + 1;
}

// @ts-ignore: decorator
@inline function sizeUvarint(x: u64): u32 { return x == 0 ? 1 : (70 - <u32>clz<u64>(x)) / 7; }

/** A varint field of an i64 that is left out when it is 0. */
// @ts-ignore: decorator
@inline function time(p: usize, tag: u8, ms: f64): usize {
  if (ms == 0) return p;
  store<u8>(p, tag);
  return uvarint(p + 1, <u64><i64>ms);
}

/** How many bytes such a field takes. */
// @ts-ignore: decorator
@inline function sizeTime(ms: f64): u32 { return ms == 0 ? 0 : 1 + sizeUvarint(<u64><i64>ms); }

/** How many bytes a Chunk takes. */
// @ts-ignore: decorator
@inline function sizeChunk(encoding: u32, length: usize, hash: u64): u32 {
  return (encoding == 1 ? 0 : 2) + 1 + sizeUvarint(length) + <u32>length + 1 + sizeUvarint(hash);
}

/** A Chunk in the field of a tag. The type is the encoding less one. */
function chunk(p: usize, tag: u8, encoding: u32, data: usize, length: usize, hash: u64): usize {
  store<u8>(p, tag);
  let at = uvarint(p + 1, sizeChunk(encoding, length, hash));
  if (encoding != 1) { store<u8>(at, 0x08); store<u8>(at, <u8>(encoding - 1), 1); at += 2; }
  store<u8>(at++, 0x12);
  at = uvarint(at, length);
  memory.copy(at, data, length);
  at += length;
  store<u8>(at++, 0x18);
  return uvarint(at, hash);
}

/** An AggrChunk of raw samples as a field of a Series. */
// @ts-ignore: decorator
@inline function rawChunk(p: usize, mint: f64, maxt: f64, encoding: u32, data: usize, length: usize): usize {
  const hash = xxh64(data, length);
  const inner = sizeChunk(encoding, length, hash);
  store<u8>(p, CHUNKS_TAG);
  let at = uvarint(p + 1, sizeTime(mint) + sizeTime(maxt) + 1 + sizeUvarint(inner) + inner);
  at = time(time(at, 0x08, mint), 0x10, maxt);
  return chunk(at, 0x1a, encoding, data, length, hash);
}

/** Which of so many shards bytes belong to: the hash modulo a count, at least 1 and below 2^53. */
export function shard(from: usize, length: usize, count: f64): f64 {
  return <f64>(xxh64(from, length) % <u64>count);
}

/** Of {@link part}: these bytes are no part. */
const NO_PART: u64 = 0xffffffffffffffff;

/**
 * The part of an aggregate chunk at a place: how long its data are, 0 for one that is not there, and above 32 bits where what
 * follows its length is.
 */
function part(from: usize, end: usize): u64 {
  let q = from;
  let size: usize = 0;
  for (let bits: usize = 0; ; bits += 7) {
    if (q >= end || bits > 63) return NO_PART;
    const b: usize = load<u8>(q++);
    // limit: no part has 2^29 bytes, so nothing is lost of one that passes.
    if (bits >= 28 && (b & 127) > (bits == 28 ? <usize>1 : 0)) return NO_PART;
    if (bits <= 28) size |= (b & 127) << bits;
    if (b < 128) break;
  }
  if (size != 0 && size >= end - q) return NO_PART;
  return <u64>q << 32 | <u64>size;
}

/** Puts why a chunk cannot be done into the words of the status. */
// @ts-ignore: decorator
@inline function fail(status: usize, code: u32, detail: u32): void {
  store<u32>(status, code);
  store<u32>(status, detail, 4);
}

/**
 * Finds the chunks at offsets[0..n) of src..srcEnd: where each one's encoding and data are (two words). Answers how many there are before
 * the first that is not whole, of which `status` says why.
 */
function locate(
  src: usize, srcEnd: usize, offsets: usize, n: u32, found: usize, status: usize,
): u32 {
  let good: u32 = n;
  fail(status, OK, 0);
  for (let i: u32 = 0; i < n; i++) {
    const begin = src + load<u32>(offsets + (<usize>i << 2));
    let p = begin;
    let long: u64 = 0;
    let shift: u64 = 0;
    let problem: u32 = OK;
    let detail: usize = 0;
    for (;;) {
      if (p >= srcEnd) { problem = SHORT; detail = p - begin + 16; break; }
      const b: u64 = load<u8>(p++);
      long |= (b & 127) << shift;
      if (b < 128) break;
      shift += 7;
      if (shift > 28) { problem = MALFORMED; break; }
    }
    // limit: a segment file has half a GiB.
    if (problem == OK && long > 0x20000000) problem = MALFORMED;
    const length = <usize>long;
    if (problem == OK && p + 1 + length + 4 > srcEnd) {
      problem = SHORT;
      detail = p + 1 + length + 4 - begin;
    }
    if (problem != OK) {
      fail(status, problem, <u32>detail);
      good = i;
      break;
    }
    store<u32>(found + (<usize>i << 3), <u32>p);
    store<u32>(found + (<usize>i << 3), <u32>(p + 1 + length), 4);
  }
  return good;
}

/** Looks at the checksums of chunks that were found. Answers how many there are before the first that is wrong. */
function check(good: u32, found: usize, tables: usize, status: usize): u32 {
  // Two words behind the status for the checksums of a pair.
  const pair = status + 8;
  for (let i: u32 = 0; i < good; i += 2) {
    const a = found + (<usize>i << 3);
    const b = i + 1 < good ? a + 8 : a;
    const aEnd: usize = load<u32>(a, 4), bEnd: usize = load<u32>(b, 4);
    crcPair(load<u32>(a), aEnd, load<u32>(b), bEnd, tables, pair);
    const first = load<u32>(pair) == bswap<u32>(load<u32>(aEnd));
    const second = load<u32>(pair, 4) == bswap<u32>(load<u32>(bEnd));
    if (first && second) continue;
    fail(status, BAD_CHECKSUM, 0);
    return first ? i + 1 : i;
  }
  return good;
}

/**
 * Writes the chunks at offsets[0..n) of src..srcEnd, of which aggregates are those of the mask (count 1, sum 2, min 4, max 8,
 * counter 16); `ends` receives where each message ends, from `out` on; `found` has room for two words a chunk. Answers how many there are
 * before the first that it cannot do, of which `status` says why. With `powers`, checksums may be left to the caller: the word at
 * status + 56 is 1 then, and the next one what the CRC-32C of all bytes of the chunks has to be.
 */
export function frame(
  src: usize, srcEnd: usize, offsets: usize, n: u32, mint: usize, maxt: usize, mask: u32,
  out: usize, outEnd: usize, ends: usize, found: usize, tables: usize, status: usize,
  powers: usize, powersMax: usize,
): u32 {
  let good = locate(src, srcEnd, offsets, n, found, status);
  const left = status + 56;
  store<u32>(left, 0);
  if (powers != 0) expect(src, offsets, good, found, tables, powers, powersMax, left);
  if (load<u32>(left) == 0) good = check(good, found, tables, status);
  let at = out;
  for (let i: u32 = 0; i < good; i++) {
    const p: usize = load<u32>(found + (<usize>i << 3));
    const dataEnd: usize = load<u32>(found + (<usize>i << 3), 4);
    const data = p + 1;
    const length = dataEnd - data;
    if (at + length + OVERHEAD > outEnd) { fail(status, FULL, 0); return i; }
    const encoding: u32 = load<u8>(p);
    const t0 = load<f64>(mint + (<usize>i << 3));
    const t1 = load<f64>(maxt + (<usize>i << 3));
    if (encoding >= 1 && encoding <= 3) {
      at = rawChunk(at, t0, t1, encoding, data, length);
      store<u32>(ends + (<usize>i << 2), <u32>(at - out));
      continue;
    }
    const first = at;
    at = time(time(at + PREFIX, 0x08, t0), 0x10, t1);
    if (encoding != AGGR) {
      fail(status, OTHER_ENCODING, encoding);
      return i;
    }
    // The parts are found first, to ten words behind the status: bytes that are no chunk must not look like one that lacks something.
    const parts = status + 16;
    let q = data;
    for (let a: usize = 0; a < 5; a++) {
      const one = part(q, dataEnd);
      if (one == NO_PART) { fail(status, MALFORMED, 0); return i; }
      q = <usize>(one >> 32);
      const size = <usize>(one & 0xffffffff);
      store<u32>(parts + (a << 3), <u32>q);
      store<u32>(parts + (a << 3), <u32>size, 4);
      if (size > 0) q += 1 + size;
    }
    if (q != dataEnd) { fail(status, MALFORMED, 0); return i; }
    for (let a: u32 = 0; a < 5; a++) {
      if (((mask >> a) & 1) == 0) continue;
      const from: usize = load<u32>(parts + (<usize>a << 3));
      const size: usize = load<u32>(parts + (<usize>a << 3), 4);
      if (size == 0) { fail(status, NO_AGGREGATE, a); return i; }
      const inner: u32 = load<u8>(from);
      if (inner < 1 || inner > 3) { fail(status, OTHER_ENCODING, inner); return i; }
      at = chunk(at, <u8>(0x22 + (a << 3)), inner, from + 1, size, xxh64(from + 1, size));
    }
    // The length is known now: what it does not take of its room is closed.
    const size = at - first - PREFIX;
    store<u8>(first, CHUNKS_TAG);
    const body = uvarint(first + 1, size);
    memory.copy(body, first + PREFIX, size);
    at = body + size;
    store<u32>(ends + (<usize>i << 2), <u32>(at - out));
  }
  return good;
}
