// kernel: memory=shared
// The write path's kernel (docs/format/head-arena.md draws the memory; twin: src/tsdb/head/ingest-twin.ts).
//
// It works on one arena: parses a decompressed write request, finds each series by the keyed hash of its label bytes,
// checks the order of samples, stages them and encodes the WAL record (stage); appends staged samples to open chunks
// (apply); and appends the samples of a WAL record directly (replay). One thread writes an arena; readers in other
// threads follow the published words and the generation of a series.

// --- arena header, at address h -------------------------------------------------------------------------------------
const H_BUMP: usize = 8;
const H_END: usize = 12;
const H_TABLE: usize = 16;
const H_MASK: usize = 20;
const H_USED: usize = 24;
const H_STAGED: usize = 28;
const H_STAGED_CAP: usize = 32;
const H_STAGED_COUNT: usize = 36;
const H_RECORD: usize = 40;
const H_RECORD_CAP: usize = 44;
const H_RECORD_LEN: usize = 48;
const H_BODY: usize = 52;
const H_EPOCH: usize = 60;
const H_SEED: usize = 64;
const H_MIN_VALID: usize = 72;
const H_MAXT: usize = 80;
const H_MINT: usize = 88;
const H_ERROR_OFFSET: usize = 96;
const H_MISS_PTR: usize = 100;
const H_MISS_LEN: usize = 104;
const H_RESUME: usize = 108;
const H_ACCEPTED: usize = 112;
const H_IDENTICAL: usize = 116;
const H_OUT_OF_ORDER: usize = 120;
const H_CONFLICTS: usize = 124;
const H_TOO_OLD: usize = 128;
const H_HISTOGRAMS: usize = 132;
const H_EXEMPLARS: usize = 136;
const H_METADATA: usize = 140;
const H_TIMESERIES: usize = 144;
const H_REJECT_SERIES: usize = 148;
const H_REJECT_T: usize = 152;
const H_REJECT_KIND: usize = 160;
const H_HASH_LO: usize = 164;
const H_HASH_HI: usize = 168;
const H_CUT: usize = 172;
const H_CUT_CAP: usize = 176;
const H_CUT_COUNT: usize = 180;
const H_ARENA_INDEX: usize = 184;
const H_ARENA_MASK: usize = 188;
const H_FREE: usize = 192; // 8 free lists of chunk buffers
const H_CHUNK_RANGE: usize = 224;
const H_SAMPLES_PER_CHUNK: usize = 232;
const H_REF_TABLE: usize = 236;
const H_REF_MASK: usize = 240;
const H_UNKNOWN_REFS: usize = 244;
const H_SAMPLES_TOTAL: usize = 248; // u64
const H_FREE_METAS: usize = 288; // 5 free lists of chunk meta blocks, of 1, 2, 4, 8 and 16 entries
const H_OOO_MIN: usize = 400; // i64: samples from here on may come out of order; the largest i64: none
const H_OOO: usize = 408; // staged samples that are out of order, as H_STAGED
const H_OOO_CAP: usize = 412;
const H_OOO_COUNT: usize = 416;

// --- series, 128 bytes ----------------------------------------------------------------------------------------------
const S_HASH: usize = 0;
const S_KEY: usize = 8;
const S_KEY_LEN: usize = 12;
const S_REF: usize = 16; // u64
const S_LAST_T: usize = 24; // i64
const S_LAST_V: usize = 32; // u64
const S_DELTA: usize = 40; // i64
const S_CHUNK: usize = 48;
const S_PUB: usize = 52; // count << 16 | bit length
const S_GEN: usize = 56; // odd while chunk, metas or their places change
const S_LEAD: usize = 60;
const S_TRAIL: usize = 61;
const S_CLASS: usize = 62;
const S_ENCODING: usize = 63; // of the open chunk: 0 for XOR, else as in chunk files
const S_CHUNK_MINT: usize = 64; // i64
const S_NEXT_AT: usize = 72; // i64
const S_METAS: usize = 80; // newest block of chunk metas
const S_META_COUNT: usize = 84;
const S_STAGED_T: usize = 88; // i64
const S_STAGED_EPOCH: usize = 96;
const S_EXTRA: usize = 100; // what few series have; the length of an open histogram chunk is its first word
const S_STAGED_V: usize = 104; // u64

// --- chunk meta block: prev u32, cap u32, count u32, pad; entries of 32 bytes ----------------------------------------
const M_HEADER: u32 = 16;
const M_ENTRY: u32 = 32; // mint i64, maxt i64, file u32 (0: in the arena), offset u32, bytes u32, count u16, encoding u8

const STAGED_ENTRY: usize = 24; // series u32, pad u32, t i64, v u64
const CUT_ENTRY: usize = 8; // series u32, address of the meta entry u32

// Answers of stage.
const DONE: i32 = 0;
const MISS: i32 = 1;
const MALFORMED: i32 = 2;
const IRREGULAR: i32 = 3;
const FULL: i32 = 4;

// @ts-ignore: decorator
@inline function mix(a: u64, b: u64): u64 {
  let h = (a ^ b) * 0x9E3779B97F4A7C15;
  return h ^ (h >> 32);
}

// @ts-ignore: decorator
@inline function hashBytes(seed: u64, p: usize, n: u32): u64 {
  let a: u64 = seed ^ <u64>n;
  let b: u64 = seed * 0xD6E8FEB86659FD93;
  const e = p + n;
  while (p + 16 <= e) {
    a = mix(a, load<u64>(p));
    b = mix(b, load<u64>(p, 8));
    p += 16;
  }
  if (p + 8 <= e) { a = mix(a, load<u64>(p)); p += 8; }
  let t: u64 = 0, s: u64 = 0;
  while (p < e) { t |= <u64>load<u8>(p) << s; s += 8; p++; }
  b = mix(b, t);
  return mix(mix(a, b), b + 0x165667B19E3779F9);
}

/** Hashes bytes with the arena's key into H_HASH_LO/HI. */
export function hash(h: usize, p: usize, n: u32): void {
  const x = hashBytes(load<u64>(h, H_SEED), p, n);
  store<u32>(h, <u32>x, H_HASH_LO);
  store<u32>(h, <u32>(x >> 32), H_HASH_HI);
}

/** Takes bytes from the bump region, 8-byte aligned and zero; 0 when the arena is full. */
function alloc(h: usize, bytes: u32): u32 {
  const size = (bytes + 7) & ~7;
  const at = load<u32>(h, H_BUMP);
  const end = load<u32>(h, H_END);
  if (size < bytes || end - at < size) return 0;
  store<u32>(h, at + size, H_BUMP);
  return at;
}

// Table entries: high 32 bits of the hash, address. An address with bit 0 set is an alias node
// (hash u64, key u32, key length u32, series u32), otherwise the series itself, which begins with the same fields.

// @ts-ignore: decorator
@inline function find(h: usize, x: u64, key: usize, n: u32): usize {
  const table: usize = load<u32>(h, H_TABLE);
  const mask = load<u32>(h, H_MASK);
  let i = <u32>x & mask;
  for (;;) {
    const e = load<u64>(table + (<usize>i << 3));
    if (e == 0) return 0;
    if (((e ^ x) >> 32) == 0) {
      const tagged = <usize>(e & 0xffffffff);
      const node = tagged & ~1;
      if (load<u64>(node, S_HASH) == x && load<u32>(node, S_KEY_LEN) == n && memory.compare(load<u32>(node, S_KEY), key, n) == 0) {
        return tagged & 1 ? <usize>load<u32>(node, 16) : node;
      }
    }
    i = (i + 1) & mask;
  }
  return 0;
}

/** The series whose label bytes (or one of whose aliases) these are; 0 when there is none. */
export function lookup(h: usize, key: usize, n: u32): u32 {
  return <u32>find(h, hashBytes(load<u64>(h, H_SEED), key, n), key, n);
}

/** Enters a series (or, with bit 0 set, an alias node) whose hash, key and key length are in place. */
export function insert(h: usize, tagged: u32): void {
  const table: usize = load<u32>(h, H_TABLE);
  const mask = load<u32>(h, H_MASK);
  const x = load<u64>(tagged & ~1, S_HASH);
  let i = <u32>x & mask;
  while (load<u64>(table + (<usize>i << 3)) != 0) i = (i + 1) & mask;
  store<u64>(table + (<usize>i << 3), (x & 0xffffffff00000000) | <u64>tagged);
  store<u32>(h, load<u32>(h, H_USED) + 1, H_USED);
}

/** Moves all entries to a zeroed table of `capacity` (a power of two). */
export function rehash(h: usize, table: u32, capacity: u32): void {
  const from: usize = load<u32>(h, H_TABLE);
  const old = load<u32>(h, H_MASK) + 1;
  const mask = capacity - 1;
  for (let k: u32 = 0; k < old; k++) {
    const e = load<u64>(from + (<usize>k << 3));
    if (e == 0) continue;
    const x = load<u64>(<usize>(e & 0xfffffffe), S_HASH);
    let i = <u32>x & mask;
    while (load<u64>(<usize>table + (<usize>i << 3)) != 0) i = (i + 1) & mask;
    store<u64>(<usize>table + (<usize>i << 3), e);
  }
  store<u32>(h, table, H_TABLE);
  store<u32>(h, mask, H_MASK);
}

// --- protobuf ---------------------------------------------------------------------------------------------------------
// A reader passes its position in through H_RESUME: kernels have no globals, and a wasm function returns one value.

// @ts-ignore: decorator
@inline function uvarint(h: usize, p: usize, end: usize): u64 {
  let x: u64 = 0, s: u64 = 0;
  while (p < end && s < 64) {
    const c: u64 = load<u8>(p++);
    x |= (c & 127) << s;
    if (c < 128) { store<u32>(h, <u32>p, H_RESUME); return x; }
    s += 7;
  }
  store<u32>(h, 0, H_RESUME); // an end or an overlong varint
  return 0;
}

/** Skips a field of wire type `w` at p; 0 when it does not fit. */
function skip(h: usize, p: usize, end: usize, w: u32): usize {
  if (w == 0) { uvarint(h, p, end); return load<u32>(h, H_RESUME); }
  if (w == 1) return p + 8 <= end ? p + 8 : 0;
  if (w == 5) return p + 4 <= end ? p + 4 : 0;
  if (w == 2) {
    const n = uvarint(h, p, end);
    const q: usize = load<u32>(h, H_RESUME);
    return q == 0 || n > <u64>(end - q) ? 0 : q + <usize>n;
  }
  return 0;
}

/** Moves past the field at p, tag and all; 0 when it is not one or does not fit. */
function skipField(h: usize, p: usize, end: usize): usize {
  let tag: u64 = load<u8>(p);
  let q = p + 1;
  if (tag >= 128) {
    tag = uvarint(h, p, end);
    q = load<u32>(h, H_RESUME);
    // An overlong tag could hide a field that we know.
    if (q == 0 || tag < 128 || tag >> 32 != 0) return 0;
  }
  return tag < 8 ? 0 : skip(h, q, end, <u32>tag & 7);
}

function malformed(h: usize, at: usize): i32 {
  store<u32>(h, <u32>(at - <usize>load<u32>(h, H_BODY)), H_ERROR_OFFSET);
  return MALFORMED;
}

// @ts-ignore: decorator
@inline function bump(h: usize, field: usize): void {
  store<u32>(h + field, load<u32>(h + field) + 1);
}

function reject(h: usize, s: usize, t: i64, field: usize): void {
  bump(h, field);
  if (load<u32>(h, H_REJECT_KIND) == 0) {
    store<u32>(h, <u32>s, H_REJECT_SERIES);
    store<i64>(h, t, H_REJECT_T);
    store<u32>(h, <u32>field, H_REJECT_KIND);
  }
}

// @ts-ignore: decorator
@inline function putVarint(p: usize, x: i64): usize {
  let u: u64 = <u64>((x << 1) ^ (x >> 63));
  while (u >= 128) { store<u8>(p++, <u8>(u | 128)); u >>= 7; }
  store<u8>(p++, <u8>u);
  return p;
}

/**
 * Stages a sample that is not newer than its series' last one or the head's minimum, or counts why it is refused
 * (prometheus tsdb/head_append.go appendable): an identical duplicate of the newest sample is accepted and dropped, the
 * same time with other bits is a conflict, and what is left may be out of order if there is a window for that.
 */
function notNewer(h: usize, s: usize, t: i64, v: u64, lastT: i64, again: bool): void {
  const bounded = t < load<i64>(h, H_MIN_VALID);
  if (!bounded && t == lastT) {
    const same = again ? load<u64>(s, S_STAGED_V) == v
      : load<u8>(s, S_ENCODING) == 0 && load<u64>(s, S_LAST_V) == v;
    if (same) bump(h, H_IDENTICAL);
    else reject(h, s, t, H_CONFLICTS);
    return;
  }
  const oldest = load<i64>(h, H_OOO_MIN);
  if (t >= oldest && oldest != i64.MAX_VALUE) {
    const count = load<u32>(h, H_OOO_COUNT);
    const entry: usize = <usize>load<u32>(h, H_OOO) + <usize>count * STAGED_ENTRY;
    store<u32>(entry, <u32>s);
    store<i64>(entry, t, 8);
    store<u64>(entry, v, 16);
    store<u32>(h, count + 1, H_OOO_COUNT);
    return;
  }
  reject(h, s, t, bounded || oldest != i64.MAX_VALUE ? H_TOO_OLD : H_OUT_OF_ORDER);
}

/** Checks one sample against its series and stages it. The caller has made room. */
function stageSample(h: usize, s: usize, t: i64, v: u64): void {
  const epoch = load<u32>(h, H_EPOCH);
  const again = load<u32>(s, S_STAGED_EPOCH) == epoch;
  const lastT = again ? load<i64>(s, S_STAGED_T) : load<i64>(s, S_LAST_T);
  if (t <= lastT || t < load<i64>(h, H_MIN_VALID)) {
    notNewer(h, s, t, v, lastT, again);
    return;
  }
  const count = load<u32>(h, H_STAGED_COUNT);
  const entry: usize = <usize>load<u32>(h, H_STAGED) + <usize>count * STAGED_ENTRY;
  store<u32>(entry, <u32>s);
  store<i64>(entry, t, 8);
  store<u64>(entry, v, 16);
  store<u32>(h, count + 1, H_STAGED_COUNT);
  store<u32>(s, epoch, S_STAGED_EPOCH);
  store<i64>(s, t, S_STAGED_T);
  store<u64>(s, v, S_STAGED_V);
  // WAL record, type 2: base ref and time of the first sample, then ref and time as deltas to them, value bits.
  const record: usize = load<u32>(h, H_RECORD);
  let w: usize = record + <usize>load<u32>(h, H_RECORD_LEN);
  const ref = load<u64>(s, S_REF);
  if (count == 0) {
    store<u8>(record, 2);
    store<u64>(record + 1, bswap<u64>(ref));
    store<u64>(record + 9, bswap<u64>(<u64>t));
    w = record + 17;
  }
  w = putVarint(w, <i64>(ref - bswap<u64>(load<u64>(record + 1))));
  w = putVarint(w, t - <i64>bswap<u64>(load<u64>(record + 9)));
  store<u64>(w, bswap<u64>(v));
  store<u32>(h, <u32>(w + 8 - record), H_RECORD_LEN);
  bump(h, H_ACCEPTED);
}

/** Stages one sample whose time (i64) and value bits lie at an address: i64 does not cross to JavaScript. */
export function stageSampleAt(h: usize, s: usize, at: usize): void {
  stageSample(h, s, load<i64>(at), load<u64>(at, 8));
}

/** Whether `n` more samples fit the staging buffers. */
// @ts-ignore: decorator
@inline function roomFor(h: usize, n: u32): bool {
  return load<u32>(h, H_STAGED_CAP) - load<u32>(h, H_STAGED_COUNT) >= n
    && load<u32>(h, H_OOO_CAP) - load<u32>(h, H_OOO_COUNT) >= n
    && load<u32>(h, H_RECORD_CAP) - load<u32>(h, H_RECORD_LEN) >= n * 28 + 32;
}

/** Parses the Sample message p..end and stages it; false when it is malformed. */
// @ts-ignore: decorator
@inline function sample(h: usize, s: usize, p: usize, end: usize): bool {
  let t: i64 = 0, v: u64 = 0;
  while (p < end) {
    const tag = load<u8>(p++);
    if (tag == 0x09) {
      if (p + 8 > end) return false;
      v = load<u64>(p);
      p += 8;
    } else if (tag == 0x10) {
      t = <i64>uvarint(h, p, end);
      p = load<u32>(h, H_RESUME);
      if (p == 0) return false;
    } else {
      p = skipField(h, p - 1, end);
      if (p == 0) return false;
    }
  }
  stageSample(h, s, t, v);
  return true;
}

/**
 * Looks through the fields of a TimeSeries behind its first labels: DONE, IRREGULAR when there is another label among
 * them, MALFORMED.
 */
function scanRest(h: usize, p: usize, stop: usize): i32 {
  let answer = DONE;
  while (p < stop) {
    const at = p;
    if (load<u8>(p) == 0x0a) answer = IRREGULAR;
    p = skipField(h, p, stop);
    if (p == 0) return malformed(h, at);
  }
  return answer;
}

/** Whether p..stop is one sample of less than 128 bytes: what nearly always follows the labels. */
// @ts-ignore: decorator
@inline function isOneSample(p: usize, stop: usize): bool {
  if (p + 2 > stop || load<u8>(p) != 0x12) return false;
  const n = load<u8>(p, 1);
  return n < 128 && p + 2 + <usize>n == stop;
}

/**
 * Stages the write request of `len` bytes in the body buffer, from byte `from` on. Answers DONE; MISS (label bytes in
 * H_MISS_PTR/LEN that no series has; resume at H_RESUME once there is one); MALFORMED (at H_ERROR_OFFSET); IRREGULAR
 * (a TimeSeries in H_MISS_PTR/LEN whose labels are not in one piece; handle it apart and resume at H_RESUME); FULL
 * (make room for H_MISS_LEN bytes of samples and resume). Label bytes are the repeated field 1 as sent.
 */
export function stage(h: usize, from: u32, len: u32): i32 {
  const body: usize = load<u32>(h, H_BODY);
  const end = body + len;
  const seed = load<u64>(h, H_SEED);
  const arenaMask = load<u32>(h, H_ARENA_MASK);
  const arenaIndex = load<u32>(h, H_ARENA_INDEX);
  let p = body + from;
  while (p < end) {
    const start = p;
    const tag = load<u8>(p++);
    if (tag != 0x0a) {
      if (tag >> 3 == 3) bump(h, H_METADATA);
      p = skipField(h, start, end);
      if (p == 0) return malformed(h, start);
      continue;
    }
    const size = uvarint(h, p, end);
    p = load<u32>(h, H_RESUME);
    if (p == 0 || size > <u64>(end - p)) return malformed(h, start);
    const stop = p + <usize>size;
    const key = p;
    while (p < stop && load<u8>(p) == 0x0a) {
      const n = uvarint(h, p + 1, stop);
      p = load<u32>(h, H_RESUME);
      if (p == 0 || n > <u64>(stop - p)) return malformed(h, start);
      p += <usize>n;
    }
    const keyLen = <u32>(p - key);
    const x = hashBytes(seed, key, keyLen);
    if (arenaMask && (<u32>(x >> 40) & arenaMask) != arenaIndex) { p = stop; continue; }
    const restLen = <u32>(stop - p);
    if (!roomFor(h, restLen / 2 + 1)) {
      store<u32>(h, restLen, H_MISS_LEN);
      store<u32>(h, <u32>(start - body), H_RESUME);
      return FULL;
    }
    if (!isOneSample(p, stop)) {
      const rest = scanRest(h, p, stop);
      if (rest == MALFORMED) return rest;
      if (rest == IRREGULAR) {
        store<u32>(h, <u32>key, H_MISS_PTR);
        store<u32>(h, <u32>size, H_MISS_LEN);
        store<u32>(h, <u32>(stop - body), H_RESUME);
        return IRREGULAR;
      }
    }
    const s = find(h, x, key, keyLen);
    if (s == 0) {
      store<u32>(h, <u32>key, H_MISS_PTR);
      store<u32>(h, keyLen, H_MISS_LEN);
      store<u32>(h, <u32>(start - body), H_RESUME);
      return MISS;
    }
    bump(h, H_TIMESERIES);
    while (p < stop) {
      const field = load<u8>(p);
      if (field == 0x12) {
        const n = uvarint(h, p + 1, stop);
        const q: usize = load<u32>(h, H_RESUME);
        if (q == 0 || n > <u64>(stop - q)) return malformed(h, p);
        if (!sample(h, s, q, q + <usize>n)) return malformed(h, p);
        p = q + <usize>n;
        continue;
      }
      if (field == 0x1a) bump(h, H_EXEMPLARS);
      else if (field == 0x22) bump(h, H_HISTOGRAMS);
      const at = p;
      p = skipField(h, p, stop);
      if (p == 0) return malformed(h, at);
    }
  }
  return DONE;
}

// --- chunks -----------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline function classBytes(k: u32): u32 {
  // 64 128 192 256 384 512 768 1088: a chunk ends at 1024 bytes plus one sample plus the slack of a 64-bit store.
  if (k < 4) return (k + 1) << 6;
  if (k == 4) return 384;
  if (k == 5) return 512;
  return k == 6 ? 768 : 1088;
}

function allocBuffer(h: usize, k: u32): u32 {
  const list = h + H_FREE + <usize>(k << 2);
  const bytes = classBytes(k);
  let at = load<u32>(list);
  if (at != 0) store<u32>(list, load<u32>(at));
  else at = alloc(h, bytes);
  if (at != 0) memory.fill(at, 0, bytes);
  return at;
}

/** Gives a chunk buffer back. Readers notice by the generation of the series it belonged to. */
export function freeBuffer(h: usize, at: u32, k: u32): void {
  const list = h + H_FREE + <usize>(k << 2);
  store<u32>(at, load<u32>(list));
  store<u32>(list, at);
}

// @ts-ignore: decorator
@inline function putBits(base: usize, pos: u32, v: u64, n: u32): u32 { // n <= 57, the buffer behind pos is zero
  const a = base + <usize>(pos >> 3);
  const sh = 64 - n - (pos & 7);
  store<u64>(a, bswap<u64>(bswap<u64>(load<u64>(a)) | (v << sh)));
  return pos + n;
}

// @ts-ignore: decorator
@inline function putLong(base: usize, pos: u32, v: u64, n: u32): u32 { // n <= 64
  if (n <= 57) return putBits(base, pos, v, n);
  pos = putBits(base, pos, v >> 32, n - 32);
  return putBits(base, pos, v & 0xffffffff, 32);
}

// @ts-ignore: decorator
@inline function generation(s: usize): void {
  // A read-modify-write, because a plain atomic store lets later stores overtake it on weakly ordered machines.
  atomic.add<u32>(s, 1, S_GEN);
}

/** Adds a meta entry for the open chunk of a series and gives its address; 0 when the arena is full. */
export function addMeta(h: usize, s: usize): u32 {
  let block = load<u32>(s, S_METAS);
  const count = block == 0 ? 0 : load<u32>(block, 8);
  const cap = block == 0 ? 0 : load<u32>(block, 4);
  if (count == cap) {
    const more: u32 = cap == 0 ? 1 : cap < 16 ? cap * 2 : 16;
    const list = h + H_FREE_METAS + <usize>(ctz<u32>(more) << 2);
    let fresh = load<u32>(list);
    if (fresh != 0) store<u32>(list, load<u32>(fresh));
    else fresh = alloc(h, M_HEADER + more * M_ENTRY);
    if (fresh == 0) return 0;
    store<u32>(fresh, block);
    store<u32>(fresh, more, 4);
    store<u32>(fresh, 0, 8);
    store<u32>(s, fresh, S_METAS);
    block = fresh;
  }
  const n = load<u32>(block, 8);
  store<u32>(block, n + 1, 8);
  store<u32>(s, load<u32>(s, S_META_COUNT) + 1, S_META_COUNT);
  return block + M_HEADER + n * M_ENTRY;
}

/** Ends the open chunk: it becomes a meta whose bytes still lie in the arena, and an entry of the cut list. */
function cut(h: usize, s: usize): bool {
  const chunk: usize = load<u32>(s, S_CHUNK);
  if (chunk == 0) return true;
  const pub = load<u32>(s, S_PUB);
  const count = pub >> 16;
  const encoding = load<u8>(s, S_ENCODING);
  const bytes = encoding == 0 ? ((pub & 0xffff) + 7) >> 3 : load<u32>(load<u32>(s, S_EXTRA));
  generation(s);
  const meta: usize = addMeta(h, s);
  if (meta == 0) { generation(s); return false; }
  if (encoding == 0) store<u16>(chunk, bswap<u16>(<u16>count));
  store<i64>(meta, load<i64>(s, S_CHUNK_MINT));
  store<i64>(meta, load<i64>(s, S_LAST_T), 8);
  store<u32>(meta, 0, 16);
  store<u32>(meta, <u32>chunk, 20);
  store<u32>(meta, bytes, 24);
  store<u16>(meta, <u16>count, 28);
  store<u8>(meta, encoding == 0 ? 1 : encoding, 30);
  store<u8>(meta, load<u8>(s, S_CLASS), 31);
  store<u32>(s, 0, S_CHUNK);
  store<u8>(s, 0, S_ENCODING);
  atomic.store<u32>(s, 0, S_PUB);
  generation(s);
  const n = load<u32>(h, H_CUT_COUNT);
  const entry: usize = <usize>load<u32>(h, H_CUT) + <usize>n * CUT_ENTRY;
  store<u32>(entry, <u32>s);
  store<u32>(entry, <u32>meta, 4);
  store<u32>(h, n + 1, H_CUT_COUNT);
  return true;
}

/** Ends the open chunk of a series, of whatever encoding; 0 when the arena is full. */
export function cutOpen(h: usize, s: usize): i32 {
  return cut(h, s) ? 1 : 0;
}

function grow(h: usize, s: usize, bytes: u32): bool {
  const k = <u32>load<u8>(s, S_CLASS);
  const fresh = allocBuffer(h, k + 1);
  if (fresh == 0) return false;
  const old = load<u32>(s, S_CHUNK);
  memory.copy(fresh, old, bytes);
  generation(s);
  store<u32>(s, fresh, S_CHUNK);
  store<u8>(s, <u8>(k + 1), S_CLASS);
  generation(s);
  freeBuffer(h, old, k);
  return true;
}

/** When the chunk is a quarter full: the time at which to cut so that chunks of a range hold equally many samples. */
// @ts-ignore: decorator
@inline function chunkEnd(start: i64, now: i64, max: i64): i64 {
  const n = <f64>(max - start) / (<f64>(now - start + 1) * 4);
  if (n <= 1) return max;
  return <i64>(<f64>start + <f64>(max - start) / floor(n));
}

/** Starts a chunk with a first sample. Go's integer division truncates, so times before 1970 round up as there. */
function open(h: usize, s: usize, t: i64, v: u64): bool {
  const k: u32 = 1;
  const base = allocBuffer(h, k);
  if (base == 0) return false;
  const range = load<i64>(h, H_CHUNK_RANGE);
  let w = putVarint(<usize>base + 2, t);
  store<u64>(w, bswap<u64>(v));
  generation(s);
  store<u32>(s, base, S_CHUNK);
  store<u8>(s, <u8>k, S_CLASS);
  store<i64>(s, t, S_CHUNK_MINT);
  store<i64>(s, (t / range) * range + range, S_NEXT_AT);
  store<u8>(s, 0xff, S_LEAD);
  store<i64>(s, 0, S_DELTA);
  atomic.store<u32>(s, (1 << 16) | <u32>((w + 8 - base) << 3), S_PUB);
  generation(s);
  return true;
}

/** Appends a value's difference to the one before it. */
// @ts-ignore: decorator
@inline function putValue(s: usize, base: usize, pos: u32, v: u64): u32 {
  const x = v ^ load<u64>(s, S_LAST_V);
  if (x == 0) return pos + 1;
  let lead = <u32>clz<u64>(x);
  const trail = <u32>ctz<u64>(x);
  if (lead > 31) lead = 31;
  const oldLead = <u32>load<u8>(s, S_LEAD);
  const oldTrail = <u32>load<u8>(s, S_TRAIL);
  if (oldLead != 0xff && lead >= oldLead && trail >= oldTrail) {
    pos = putBits(base, pos, 2, 2);
    return putLong(base, pos, x >> oldTrail, 64 - oldLead - oldTrail);
  }
  store<u8>(s, <u8>lead, S_LEAD);
  store<u8>(s, <u8>trail, S_TRAIL);
  const n = 64 - lead - trail;
  pos = putBits(base, pos, (<u64>3 << 11) | (<u64>lead << 6) | <u64>(n & 63), 13);
  return putLong(base, pos, x >> trail, n);
}

/** Appends the difference of a time step to the one before it. */
// @ts-ignore: decorator
@inline function putTime(base: usize, pos: u32, dod: i64): u32 {
  if (dod == 0) return pos + 1;
  if (dod >= -8191 && dod <= 8192) return putBits(base, pos, (<u64>2 << 14) | (<u64>dod & 0x3fff), 16);
  if (dod >= -65535 && dod <= 65536) return putBits(base, pos, (<u64>6 << 17) | (<u64>dod & 0x1ffff), 20);
  if (dod >= -524287 && dod <= 524288) return putBits(base, pos, (<u64>14 << 20) | (<u64>dod & 0xfffff), 24);
  pos = putBits(base, pos, 15, 4);
  return putLong(base, pos, <u64>dod, 64);
}

/**
 * Appends a sample that is newer than the series' last one, cutting the chunk by Prometheus' rule
 * (tsdb/head_append.go appendPreprocessor): past its predicted end, at twice the target count, or near 1024 bytes.
 */
function append(h: usize, s: usize, t: i64, v: u64): bool {
  let chunk = load<u32>(s, S_CHUNK);
  let pub = load<u32>(s, S_PUB);
  if (chunk != 0 && load<u8>(s, S_ENCODING) != 0) { if (!cut(h, s)) return false; chunk = 0; }
  else if (chunk != 0) {
    const count = pub >> 16;
    const bytes = ((pub & 0xffff) + 7) >> 3;
    const target = load<u32>(h, H_SAMPLES_PER_CHUNK);
    if (bytes > 1024 - 19) { if (!cut(h, s)) return false; chunk = 0; }
    else {
      if (count == target / 4) store<i64>(s, chunkEnd(load<i64>(s, S_CHUNK_MINT), load<i64>(s, S_LAST_T), load<i64>(s, S_NEXT_AT)), S_NEXT_AT);
      if (t >= load<i64>(s, S_NEXT_AT) || count >= target * 2) { if (!cut(h, s)) return false; chunk = 0; }
    }
  }
  if (chunk == 0) {
    if (!open(h, s, t, v)) return false;
  } else {
    const count = pub >> 16;
    let pos = pub & 0xffff;
    if ((pos >> 3) + 40 > classBytes(load<u8>(s, S_CLASS))) {
      if (!grow(h, s, (pos + 7) >> 3)) return false;
      chunk = load<u32>(s, S_CHUNK);
    }
    const base: usize = chunk;
    const delta = t - load<i64>(s, S_LAST_T);
    if (count == 1) {
      let w = base + <usize>(pos >> 3);
      let u = <u64>delta;
      while (u >= 128) { store<u8>(w++, <u8>(u | 128)); u >>= 7; }
      store<u8>(w++, <u8>u);
      pos = <u32>(w - base) << 3;
    } else pos = putTime(base, pos, delta - load<i64>(s, S_DELTA));
    store<i64>(s, delta, S_DELTA);
    pos = putValue(s, base, pos, v);
    atomic.store<u32>(s, ((count + 1) << 16) | pos, S_PUB);
  }
  store<i64>(s, t, S_LAST_T);
  store<u64>(s, v, S_LAST_V);
  if (t > load<i64>(h, H_MAXT)) store<i64>(h, t, H_MAXT);
  if (t < load<i64>(h, H_MINT)) store<i64>(h, t, H_MINT);
  store<u64>(h, load<u64>(h, H_SAMPLES_TOTAL) + 1, H_SAMPLES_TOTAL);
  return true;
}

/** Appends the staged samples; answers how many. Fewer than staged: the arena is full (the caller had checked). */
export function apply(h: usize): u32 {
  const n = load<u32>(h, H_STAGED_COUNT);
  let entry: usize = load<u32>(h, H_STAGED);
  for (let i: u32 = 0; i < n; i++) {
    if (!append(h, load<u32>(entry), load<i64>(entry, 8), load<u64>(entry, 16))) return i;
    entry += STAGED_ENTRY;
  }
  return n;
}

// --- replay -----------------------------------------------------------------------------------------------------------

/** Enters ref -> series into the replay table (entries: ref u32 + 1, series u32; a power of two of them). */
export function mapRef(h: usize, ref: u32, s: u32): void {
  const table: usize = load<u32>(h, H_REF_TABLE);
  const mask = load<u32>(h, H_REF_MASK);
  let i = (ref * 0x9E3779B1) & mask;
  for (;;) {
    const at = table + (<usize>i << 3);
    const e = load<u32>(at);
    if (e == 0 || e == ref + 1) { store<u32>(at, ref + 1); store<u32>(at, s, 4); return; }
    i = (i + 1) & mask;
  }
}

/** The series of a ref, 0 when the log never named it. */
function seriesOfRef(h: usize, ref: u32): u32 {
  const table: usize = load<u32>(h, H_REF_TABLE);
  const mask = load<u32>(h, H_REF_MASK);
  let i = (ref * 0x9E3779B1) & mask;
  for (;;) {
    const at = table + (<usize>i << 3);
    const e = load<u32>(at);
    if (e == 0) return 0;
    if (e == ref + 1) return load<u32>(at, 4);
    i = (i + 1) & mask;
  }
  return 0;
}

/**
 * Appends the samples of a WAL record (type 2) of `len` bytes in the body buffer, from byte `from` (1 at first).
 * Samples before the head's minimum are in blocks, and those not newer than their series' last are in chunks already:
 * both are passed over. Answers the position to go on
 * from when the cut list is full, `len` at the end, 0 for a malformed record, -1 when the arena is full.
 */
export function replay(h: usize, from: u32, len: u32): i32 {
  const body: usize = load<u32>(h, H_BODY);
  const end = body + len;
  if (len == 1) return 1;
  if (len < 17) return 0;
  const baseRef = bswap<u64>(load<u64>(body + 1));
  const baseT = <i64>bswap<u64>(load<u64>(body + 9));
  let p = body + (from < 17 ? 17 : from);
  while (p < end) {
    if (load<u32>(h, H_CUT_COUNT) == load<u32>(h, H_CUT_CAP)) return <i32>(p - body);
    const dr = uvarint(h, p, end);
    p = load<u32>(h, H_RESUME);
    if (p == 0) return 0;
    const dt = uvarint(h, p, end);
    p = load<u32>(h, H_RESUME);
    if (p == 0 || p + 8 > end) return 0;
    const ref = baseRef + ((dr >> 1) ^ <u64>(-<i64>(dr & 1)));
    const t = baseT + (<i64>(dt >> 1) ^ -<i64>(dt & 1));
    const v = bswap<u64>(load<u64>(p));
    p += 8;
    const s: usize = ref >> 32 ? 0 : <usize>seriesOfRef(h, <u32>ref);
    if (s == 0) { bump(h, H_UNKNOWN_REFS); continue; }
    if (t < load<i64>(h, H_MIN_VALID)) continue;
    const lastT = load<i64>(s, S_LAST_T);
    if (t > lastT) { if (!append(h, s, t, v)) return -1; }
    // A chunk read from disk ends with a time only: the log still knows the value, which duplicates are judged by.
    else if (t == lastT && load<u8>(s, S_ENCODING) == 0) store<u64>(s, v, S_LAST_V);
  }
  return <i32>len;
}
