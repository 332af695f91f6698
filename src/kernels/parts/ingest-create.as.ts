// part of kernel ingest: new series whose labels are in canonical form and plain ASCII, of names that are known. All
// others, and whatever needs a table or slab to grow, are left to TypeScript (src/tsdb/head/series-writer.ts and
// postings-writer.ts, which do the same step by step and are the specification).
import {
  H_BUMP, H_END, H_MASK, H_USED, H_RESUME, S_HASH, S_KEY, S_KEY_LEN, S_REF, S_LAST_T, H_SERIES_COUNT,
  H_SERIES_SLABS, H_PAIR_COUNT, H_PAIR_SLABS, H_NAME_SLABS, H_PAIR_TABLE, H_NEXT_REF, H_NAME_TABLE,
  H_SERIES_RECORD, H_SERIES_RECORD_CAP, H_SERIES_RECORD_LEN, H_FREE_SLOTS, H_FREE_PAIRS, H_DEAD,
  NAME_TABLE_ENTRIES, S_PAIRS, S_PAIR_COUNT, S_INDEX, S_BYTES, P_HASH, P_NAME, P_VALUE, P_VALUE_LEN,
  P_FIRST_BLOCK, P_LAST_BLOCK, P_COUNT, P_NEXT, P_BYTES, N_TEXT, N_LEN, N_FIRST, N_LAST, N_COUNT, N_BYTES,
  B_NEXT, B_CAP, B_USED, B_HEADER, SLAB_SHIFT, SLAB_MASK, SLAB_COUNT,
} from './ingest-layout.as';
import { putUvarint, sizeVarint, uvarint } from './ingest-protobuf.as';
import { alloc, equalBytes, insert } from './ingest-table.as';

/** limit: labels of a series that is made here. */
const LABELS_MAX: u32 = 64;
/** What one label can take beside its text: a largest block of postings. */
const LABEL_ROOM: u64 = 20480;

/** Reads a length that is below 2^21 and in its shortest form, from p on; the place behind it is in H_RESUME, 0 for another one. */
// @ts-ignore: decorator
@inline function length(h: usize, p: usize, end: usize): u32 {
  const n = uvarint(h, p, end);
  const q: usize = load<u32>(h, H_RESUME);
  if (q == 0 || n >= 2097152 || q - p != <usize>sizeVarint(n)) store<u32>(h, 0, H_RESUME);
  return <u32>n;
}

// @ts-ignore: decorator
@inline function isAscii(p: usize, n: u32): bool {
  const e = p + n;
  let bits: u64 = 0;
  while (p + 8 <= e) { bits |= load<u64>(p); p += 8; }
  while (p < e) bits |= <u64>load<u8>(p++);
  return (bits & 0x8080808080808080) == 0;
}

/** Whether a..an comes before b..bn in the order of bytes. */
// @ts-ignore: decorator
@inline function isBefore(a: usize, an: u32, b: usize, bn: u32): bool {
  const order = memory.compare(a, b, an < bn ? an : bn);
  return order != 0 ? order < 0 : an < bn;
}

/** FNV-1a, as nameHash and pairHash of postings-writer.ts. */
// @ts-ignore: decorator
@inline function fnv(start: u32, p: usize, n: u32): u32 {
  let x = start;
  for (const e = p + n; p < e; p++) x = (x ^ <u32>load<u8>(p)) * 0x01000193;
  return x ^ (x >> 15);
}

// @ts-ignore: decorator
@inline function record(h: usize, slabs: usize, bytes: usize, n: u32): usize {
  return <usize>load<u32>(<usize>load<u32>(h + slabs) + <usize>((n >> SLAB_SHIFT) << 2)) + <usize>(n & SLAB_MASK) * bytes;
}

/** Whether the slab for record n is there. */
// @ts-ignore: decorator
@inline function hasSlab(h: usize, slabs: usize, n: u32): bool {
  return n >> SLAB_SHIFT < SLAB_COUNT && load<u32>(<usize>load<u32>(h + slabs) + <usize>((n >> SLAB_SHIFT) << 2)) != 0;
}

/** The number of a name plus one; 0 when it is not in the table. */
function findName(h: usize, p: usize, n: u32): u32 {
  const table: usize = load<u32>(h, H_NAME_TABLE);
  let i = fnv(0x811c9dc5, p, n) & (NAME_TABLE_ENTRIES - 1);
  for (;;) {
    const e = load<u32>(table + <usize>(i << 2));
    if (e == 0) return 0;
    const at = record(h, H_NAME_SLABS, N_BYTES, e - 1);
    if (load<u32>(at, N_LEN) == n && equalBytes(load<u32>(at, N_TEXT), p, n)) return e;
    i = (i + 1) & (NAME_TABLE_ENTRIES - 1);
  }
  return 0;
}

/** How many labels the key has when all of it can be made here without a fail; 0 otherwise. */
function check(h: usize, key: usize, n: u32): u32 {
  let p = key;
  const end = key + n;
  let count: u32 = 0;
  let named = false;
  let before: usize = 0, beforeLen: u32 = 0;
  while (p < end) {
    if (load<u8>(p) != 0x0a || ++count > LABELS_MAX) return 0;
    const size = length(h, p + 1, end);
    p = load<u32>(h, H_RESUME);
    const stop = p + <usize>size;
    if (p == 0 || stop > end || p >= stop || load<u8>(p) != 0x0a) return 0;
    const nameLen = length(h, p + 1, stop);
    const name: usize = load<u32>(h, H_RESUME);
    p = name + <usize>nameLen;
    if (name == 0 || nameLen == 0 || p >= stop || load<u8>(p) != 0x12) return 0;
    const valueLen = length(h, p + 1, stop);
    const value: usize = load<u32>(h, H_RESUME);
    if (value == 0 || valueLen == 0 || value + <usize>valueLen != stop) return 0;
    if (!isAscii(name, nameLen) || !isAscii(value, valueLen)) return 0;
    if (before != 0 && !isBefore(before, beforeLen, name, nameLen)) return 0;
    if (findName(h, name, nameLen) == 0) return 0;
    // "__name__", little-endian.
    if (nameLen == 8 && load<u64>(name) == 0x5f5f656d616e5f5f) named = true;
    before = name;
    beforeLen = nameLen;
    p = stop;
  }
  if (!named) return 0;
  const pairs = load<u32>(h, H_PAIR_COUNT);
  if (load<u32>(h, H_FREE_SLOTS) == 0 && !hasSlab(h, H_SERIES_SLABS, load<u32>(h, H_SERIES_COUNT))) return 0;
  if (!hasSlab(h, H_PAIR_SLABS, pairs) || !hasSlab(h, H_PAIR_SLABS, pairs + count)) return 0;
  const pairEntries = load<u32>(<usize>load<u32>(h, H_PAIR_TABLE)) + 1;
  if (<u64>(pairs + count) * 4 > <u64>pairEntries * 3) return 0;
  if (<u64>(load<u32>(h, H_USED) + 1) * 2 > <u64>(load<u32>(h, H_MASK) + 1)) return 0;
  const free = <u64>(load<u32>(h, H_END) - load<u32>(h, H_BUMP));
  if (free < <u64>count * LABEL_ROOM + <u64>n * 5) return 0;
  if (<u64>load<u32>(h, H_SERIES_RECORD_LEN) + <u64>n + 64 > <u64>load<u32>(h, H_SERIES_RECORD_CAP)) return 0;
  return count;
}

/** The number of a pair, made at need. */
function pairOf(h: usize, nameNumber: u32, value: usize, n: u32): u32 {
  const x = fnv(((nameNumber + 1) * 0x9e3779b1) ^ 0x811c9dc5, value, n);
  const table: usize = load<u32>(h, H_PAIR_TABLE);
  const mask = load<u32>(table);
  let i = x & mask;
  for (;;) {
    const e = load<u32>(table + 4 + <usize>(i << 2));
    if (e == 0) break;
    const at = record(h, H_PAIR_SLABS, P_BYTES, e - 1);
    if (load<u32>(at, P_HASH) == x && load<u32>(at, P_NAME) == nameNumber && load<u32>(at, P_VALUE_LEN) == n
      && equalBytes(load<u32>(at, P_VALUE), value, n)) return e - 1;
    i = (i + 1) & mask;
  }
  const free = load<u32>(h, H_FREE_PAIRS);
  const number = free != 0 ? free - 1 : load<u32>(h, H_PAIR_COUNT);
  const at = record(h, H_PAIR_SLABS, P_BYTES, number);
  if (free != 0) store<u32>(h, load<u32>(at), H_FREE_PAIRS);
  const text = alloc(h, n);
  memory.copy(text, value, n);
  store<u32>(at, x, P_HASH);
  store<u32>(at, nameNumber, P_NAME);
  store<u32>(at, text, P_VALUE);
  store<u32>(at, n, P_VALUE_LEN);
  store<u32>(table + 4 + <usize>(i << 2), number + 1);
  if (free == 0) atomic.store<u32>(h, number + 1, H_PAIR_COUNT);
  // Chained to its name behind the count: readers follow the chain for as many pairs as the name says.
  const name = record(h, H_NAME_SLABS, N_BYTES, nameNumber);
  const last = load<u32>(name, N_LAST);
  if (last == 0) store<u32>(name, number + 1, N_FIRST);
  else store<u32>(record(h, H_PAIR_SLABS, P_BYTES, last - 1), number + 1, P_NEXT);
  store<u32>(name, number + 1, N_LAST);
  atomic.add<u32>(name, 1, N_COUNT);
  return number;
}

/** Appends a series index to the postings of a pair. */
function addPosting(h: usize, pair: u32, series: u32): void {
  const at = record(h, H_PAIR_SLABS, P_BYTES, pair);
  const count = load<u32>(at, P_COUNT);
  const block: usize = load<u32>(at, P_LAST_BLOCK);
  const used = block == 0 ? 0 : load<u32>(block, B_USED);
  if (block == 0 || used == load<u32>(block, B_CAP)) {
    const cap: u32 = count == 0 ? 2 : count < 4096 ? count : 4096;
    const fresh: usize = alloc(h, <u32>B_HEADER + cap * 4);
    store<u32>(fresh, cap, B_CAP);
    if (block == 0) store<u32>(at, <u32>fresh, P_FIRST_BLOCK);
    else store<u32>(block, <u32>fresh, B_NEXT);
    store<u32>(at, <u32>fresh, P_LAST_BLOCK);
    store<u32>(fresh, 1, B_USED);
    store<u32>(fresh, series, B_HEADER);
  } else {
    store<u32>(block, used + 1, B_USED);
    store<u32>(block + <usize>(used << 2), series, B_HEADER);
  }
  atomic.store<u32>(at, count + 1, P_COUNT);
}

/**
 * Makes the series of a key (its hash is x) and answers its address; 0 when it is not one of those that are made here.
 * `ref` is its ref; -1 gives it the next one and adds it to the record of series that are to be logged.
 */
export function createSeries(h: usize, key: usize, n: u32, x: u64, ref: i64): usize {
  const count = check(h, key, n);
  if (count == 0) return 0;
  const isNew = ref < 0;
  const free = load<u32>(h, H_FREE_SLOTS);
  const index = free != 0 ? free - 1 : load<u32>(h, H_SERIES_COUNT);
  const s = record(h, H_SERIES_SLABS, S_BYTES, index);
  if (free != 0) {
    store<u32>(h, load<u32>(s), H_FREE_SLOTS);
    store<u32>(h, load<u32>(h, H_DEAD) - 1, H_DEAD);
  }
  const own: usize = alloc(h, n);
  memory.copy(own, key, n);
  const pairs: usize = alloc(h, count * 4);
  const number: u64 = isNew ? load<u64>(h, H_NEXT_REF) : <u64>ref;
  store<u64>(s, x, S_HASH);
  store<u32>(s, <u32>own, S_KEY);
  store<u32>(s, n, S_KEY_LEN);
  store<u64>(s, number, S_REF);
  store<i64>(s, i64.MIN_VALUE, S_LAST_T);
  store<u32>(s, index, S_INDEX);
  store<u32>(s, <u32>pairs, S_PAIRS);
  store<u32>(s, count, S_PAIR_COUNT);
  let w: usize = 0;
  if (isNew) {
    store<u64>(h, number + 1, H_NEXT_REF);
    const at: usize = load<u32>(h, H_SERIES_RECORD);
    const len = load<u32>(h, H_SERIES_RECORD_LEN);
    if (len == 0) store<u8>(at, 1);
    w = at + <usize>(len == 0 ? 1 : len);
    store<u64>(w, bswap<u64>(number));
    w = putUvarint(w + 8, count);
  }
  let p = own;
  for (let i: u32 = 0; i < count; i++) {
    length(h, p + 1, own + n);
    p = load<u32>(h, H_RESUME);
    const nameLen = length(h, p + 1, own + n);
    const name: usize = load<u32>(h, H_RESUME);
    const valueLen = length(h, name + nameLen + 1, own + n);
    const value: usize = load<u32>(h, H_RESUME);
    const pair = pairOf(h, findName(h, name, nameLen) - 1, value, valueLen);
    store<u32>(pairs + <usize>(i << 2), pair);
    p = value + <usize>valueLen;
    if (isNew) {
      w = putUvarint(w, nameLen);
      memory.copy(w, name, nameLen);
      w = putUvarint(w + nameLen, valueLen);
      memory.copy(w, value, valueLen);
      w += valueLen;
    }
  }
  if (isNew) store<u32>(h, <u32>(w - <usize>load<u32>(h, H_SERIES_RECORD)), H_SERIES_RECORD_LEN);
  // Whoever finds the series by one of its pairs must find all of them.
  for (let i: u32 = 0; i < count; i++) addPosting(h, load<u32>(pairs + <usize>(i << 2)), index);
  if (free == 0) atomic.store<u32>(h, index + 1, H_SERIES_COUNT);
  insert(h, <u32>s);
  return s;
}
