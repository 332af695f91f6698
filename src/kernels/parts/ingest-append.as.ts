// part of kernel ingest: chunk buffers, chunk metas, and the XOR appender with Prometheus' rule for cutting chunks.
import {
  H_STAGED, H_STAGED_COUNT, H_MAXT, H_MINT, H_CUT, H_CUT_COUNT, H_FREE, H_CHUNK_RANGE, H_SAMPLES_PER_CHUNK,
  H_SAMPLES_TOTAL, H_FREE_METAS, S_LAST_T, S_LAST_V, S_DELTA, S_CHUNK, S_PUB, S_GEN, S_LEAD, S_TRAIL, S_CLASS,
  S_ENCODING, S_CHUNK_MINT, S_NEXT_AT, S_METAS, S_META_COUNT, S_EXTRA, M_HEADER, M_ENTRY, STAGED_ENTRY,
  CUT_ENTRY, H_TOUCHED,
} from './ingest-layout.as';
import { putVarint } from './ingest-protobuf.as';
import { alloc } from './ingest-table.as';

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
@inline export function generation(s: usize): void {
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
export function append(h: usize, s: usize, t: i64, v: u64): bool {
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

/** How many samples ahead memory is loaded. */
const FAR: u32 = 16;
const NEAR: u32 = 8;

/**
 * Loads what later samples of a list of staged ones need, as ingest-ahead.as.ts does: the series of one far ahead, and of a
 * nearer one where its open chunk ends. `left` counts from `entry` on.
 */
// @ts-ignore: decorator
@inline export function touchAhead(h: usize, entry: usize, left: u32): void {
  let touched: u64 = 0;
  if (left > FAR) {
    const s: usize = load<u32>(entry + <usize>FAR * STAGED_ENTRY);
    touched = load<u64>(s, S_LAST_T) ^ load<u64>(s, S_CHUNK_MINT);
  }
  if (left > NEAR) {
    const s: usize = load<u32>(entry + <usize>NEAR * STAGED_ENTRY);
    touched ^= <u64>load<u8>(load<u32>(s, S_CHUNK) + ((load<u32>(s, S_PUB) & 0xffff) >> 3));
  }
  store<u64>(h, touched, H_TOUCHED);
}

/** Appends the staged samples; answers how many. Fewer than staged: the arena is full (the caller had checked). */
export function apply(h: usize): u32 {
  const n = load<u32>(h, H_STAGED_COUNT);
  let entry: usize = load<u32>(h, H_STAGED);
  for (let i: u32 = 0; i < n; i++) {
    touchAhead(h, entry, n - i);
    if (!append(h, load<u32>(entry), load<i64>(entry, 8), load<u64>(entry, 16))) return i;
    entry += STAGED_ENTRY;
  }
  return n;
}
