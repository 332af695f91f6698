// part of kernel ingest: what replay does with the records of a log.
import {
  H_STAGED, H_STAGED_CAP, H_STAGED_COUNT, H_BODY, H_SEED, H_MIN_VALID, H_RESUME, H_CUT_CAP, H_CUT_COUNT,
  H_ARENA_INDEX, H_ARENA_MASK, H_REF_TABLE, H_REF_MASK, H_UNKNOWN_REFS, S_LAST_T, S_LAST_V, S_ENCODING,
  STAGED_ENTRY, H_NEXT_REF, H_KEY, H_KEY_CAP, H_REF_COUNT,
} from './ingest-layout.as';
import { append, touchAhead } from './ingest-append.as';
import { createSeries } from './ingest-create.as';
import { bump, putUvarint, sizeVarint, uvarint } from './ingest-protobuf.as';
import { find, hashBytes } from './ingest-table.as';

/** Enters ref -> series into the replay table (entries: ref u32 + 1, series u32; a power of two of them). */
export function mapRef(h: usize, ref: u32, s: u32): void {
  const table: usize = load<u32>(h, H_REF_TABLE);
  const mask = load<u32>(h, H_REF_MASK);
  let i = (ref * 0x9E3779B1) & mask;
  for (;;) {
    const at = table + (<usize>i << 3);
    const e = load<u32>(at);
    if (e == 0) store<u32>(h, load<u32>(h, H_REF_COUNT) + 1, H_REF_COUNT);
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

/** Samples that are taken from a record at a time. */
const BATCH: u32 = 256;

/** Appends the listed samples that are newer than their series' last; false when the arena is full. */
function replayListed(h: usize, list: usize, n: u32): bool {
  const minValid = load<i64>(h, H_MIN_VALID);
  for (let i: u32 = 0; i < n; i++) {
    const entry = list + <usize>i * STAGED_ENTRY;
    touchAhead(h, entry, n - i);
    const s: usize = load<u32>(entry);
    const t = load<i64>(entry, 8);
    const v = load<u64>(entry, 16);
    if (t < minValid) continue;
    const lastT = load<i64>(s, S_LAST_T);
    if (t > lastT) { if (!append(h, s, t, v)) return false; }
    // A chunk read from disk ends with a time only: the log still knows the value, which duplicates are judged by.
    else if (t == lastT && load<u8>(s, S_ENCODING) == 0) store<u64>(s, v, S_LAST_V);
  }
  return true;
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
  const list: usize = load<u32>(h, H_STAGED);
  let p = body + (from < 17 ? 17 : from);
  while (p < end) {
    // As many as the cut list can take, and no more than memory can be loaded ahead for.
    const room = load<u32>(h, H_CUT_CAP) - load<u32>(h, H_CUT_COUNT);
    if (room == 0) return <i32>(p - body);
    const most = room < BATCH ? room : BATCH;
    let n: u32 = 0;
    let whole = true;
    while (p < end && n < most) {
      const dr = uvarint(h, p, end);
      const q: usize = load<u32>(h, H_RESUME);
      if (q == 0) { whole = false; break; }
      const dt = uvarint(h, q, end);
      p = load<u32>(h, H_RESUME);
      if (p == 0 || p + 8 > end) { whole = false; break; }
      const ref = baseRef + ((dr >> 1) ^ <u64>(-<i64>(dr & 1)));
      const s = ref >> 32 ? 0 : seriesOfRef(h, <u32>ref);
      const entry = list + <usize>n * STAGED_ENTRY;
      store<u32>(entry, s);
      store<i64>(entry, baseT + (<i64>(dt >> 1) ^ -<i64>(dt & 1)), 8);
      store<u64>(entry, bswap<u64>(load<u64>(p)), 16);
      p += 8;
      if (s == 0) bump(h, H_UNKNOWN_REFS);
      else n++;
    }
    if (!replayListed(h, list, n)) return -1;
    if (!whole) return 0;
  }
  return <i32>len;
}

// Answers of replaySeries; where it goes on is in H_RESUME.
const DONE: i32 = 0;
const MISS: i32 = 1;
const MALFORMED: i32 = 2;
const FULL: i32 = 4;

/** A ref and its series in the list that replaySeries makes. */
const LIST_ENTRY: u32 = 8;

/** Puts the key of a record's labels, from p on, together at H_KEY; its length, 0 when it does not fit or they end early. The place behind them is in H_RESUME. */
function keyOf(h: usize, p: usize, end: usize, labels: u64): u32 {
  const from: usize = load<u32>(h, H_KEY);
  const limit = from + <usize>load<u32>(h, H_KEY_CAP);
  let w = from;
  for (; labels > 0; labels--) {
    const nameLen = uvarint(h, p, end);
    const name: usize = load<u32>(h, H_RESUME);
    if (name == 0 || nameLen > <u64>(end - name)) return 0;
    const valueLen = uvarint(h, name + <usize>nameLen, end);
    const value: usize = load<u32>(h, H_RESUME);
    if (value == 0 || valueLen > <u64>(end - value)) return 0;
    if (w + <usize>(nameLen + valueLen) + 32 > limit) return 0;
    const body = 2 + <u64>sizeVarint(nameLen) + nameLen + <u64>sizeVarint(valueLen) + valueLen;
    store<u8>(w, 0x0a);
    w = putUvarint(w + 1, <u32>body);
    store<u8>(w, 0x0a);
    w = putUvarint(w + 1, <u32>nameLen);
    memory.copy(w, name, <usize>nameLen);
    w += <usize>nameLen;
    store<u8>(w, 0x12);
    w = putUvarint(w + 1, <u32>valueLen);
    memory.copy(w, value, <usize>valueLen);
    w += <usize>valueLen;
    p = value + <usize>valueLen;
  }
  store<u32>(h, <u32>p, H_RESUME);
  return <u32>(w - from);
}

/** Moves past labels; 0 when they end early. */
function skipLabels(h: usize, p: usize, end: usize, labels: u64): usize {
  for (labels *= 2; labels > 0; labels--) {
    const n = uvarint(h, p, end);
    p = load<u32>(h, H_RESUME);
    if (p == 0 || n > <u64>(end - p)) return 0;
    p += <usize>n;
  }
  return p;
}

/**
 * Makes the series of a WAL record (type 1) of `len` bytes in the body buffer known by their refs, from byte `from` (1 at
 * first); those that live in other arenas are passed over. Each ref and series goes to a list in the staging buffer, how
 * many to H_STAGED_COUNT. Answers DONE; MISS (an entry for TypeScript begins at H_RESUME); MALFORMED; FULL (empty the list,
 * give the table of refs room, go on). H_NEXT_REF is above every ref that was seen.
 */
export function replaySeries(h: usize, from: u32, len: u32): i32 {
  const body: usize = load<u32>(h, H_BODY);
  const end = body + len;
  const arenaMask = load<u32>(h, H_ARENA_MASK);
  const seed = load<u64>(h, H_SEED);
  const list: usize = load<u32>(h, H_STAGED);
  const room = load<u32>(h, H_STAGED_CAP) * (<u32>STAGED_ENTRY / LIST_ENTRY);
  let count: u32 = 0;
  let p = body + from;
  let answer = DONE;
  while (p < end) {
    const start = p;
    if (count == room || load<u32>(h, H_REF_COUNT) >= load<u32>(h, H_REF_MASK) / 2) { answer = FULL; break; }
    if (p + 9 > end) { answer = MALFORMED; break; }
    const ref = bswap<u64>(load<u64>(p));
    const labels = uvarint(h, p + 8, end);
    p = load<u32>(h, H_RESUME);
    // A label takes two bytes at the least.
    if (p == 0 || labels > <u64>(end - p) / 2) { answer = MALFORMED; break; }
    const n = keyOf(h, p, end, labels);
    const behind = skipLabels(h, p, end, labels);
    if (behind == 0) { answer = MALFORMED; break; }
    p = start;
    if (n == 0 || ref >= 0xffffffff) { answer = MISS; break; }
    const key: usize = load<u32>(h, H_KEY);
    const x = hashBytes(seed, key, n);
    if (arenaMask == 0 || (<u32>(x >> 40) & arenaMask) == load<u32>(h, H_ARENA_INDEX)) {
      let s = find(h, x, key, n);
      if (s == 0) s = createSeries(h, key, n, x, <i64>ref);
      if (s == 0) { answer = MISS; break; }
      mapRef(h, <u32>ref, <u32>s);
      const entry = list + <usize>(count * LIST_ENTRY);
      store<u32>(entry, <u32>ref);
      store<u32>(entry, <u32>s, 4);
      count++;
    }
    if (ref >= load<u64>(h, H_NEXT_REF)) store<u64>(h, ref + 1, H_NEXT_REF);
    p = behind;
  }
  store<u32>(h, count, H_STAGED_COUNT);
  store<u32>(h, <u32>(p - body), H_RESUME);
  return answer;
}
