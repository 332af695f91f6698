// kernel: memory=shared
// The write path's kernel (docs/format/head-arena.md draws the memory; twin: src/tsdb/head/ingest-twin.ts).
//
// It works on one arena: parses a decompressed write request, finds each series by the keyed hash of its label bytes,
// checks the order of samples, stages them and encodes the WAL record (stage); appends staged samples to open chunks
// (apply); and appends the samples of a WAL record directly (replay). One thread writes an arena; readers in other
// threads follow the published words and the generation of a series.

import {
  H_STAGED, H_STAGED_CAP, H_STAGED_COUNT, H_RECORD, H_RECORD_CAP, H_RECORD_LEN, H_BODY, H_EPOCH, H_SEED,
  H_MIN_VALID, H_ERROR_OFFSET, H_MISS_PTR, H_MISS_LEN, H_RESUME, H_ACCEPTED, H_IDENTICAL, H_OUT_OF_ORDER,
  H_CONFLICTS, H_TOO_OLD, H_HISTOGRAMS, H_EXEMPLARS, H_METADATA, H_TIMESERIES, H_REJECT_SERIES, H_REJECT_T,
  H_REJECT_KIND, H_ARENA_INDEX, H_ARENA_MASK, H_OOO_MIN, H_OOO, H_OOO_CAP, H_OOO_COUNT, S_REF, S_LAST_T,
  S_LAST_V, S_ENCODING, S_STAGED_T, S_STAGED_EPOCH, S_STAGED_V, STAGED_ENTRY, H_AHEAD, A_KEY, A_KEY_LEN, A_STOP,
  A_HASH, A_BYTES,
} from './parts/ingest-layout.as';
import { lookAhead } from './parts/ingest-ahead.as';
import { createSeries } from './parts/ingest-create.as';
import { bump, putVarint, skipField, uvarint } from './parts/ingest-protobuf.as';
import { find } from './parts/ingest-table.as';

export { addMeta, apply, cutOpen, freeBuffer } from './parts/ingest-append.as';
export { mapRef, replay, replaySeries } from './parts/ingest-replay.as';
export { hash, insert, lookup, rehash } from './parts/ingest-table.as';

// Answers of stage.
const DONE: i32 = 0;
const MISS: i32 = 1;
const MALFORMED: i32 = 2;
const IRREGULAR: i32 = 3;
const FULL: i32 = 4;

function malformed(h: usize, at: usize): i32 {
  store<u32>(h, <u32>(at - <usize>load<u32>(h, H_BODY)), H_ERROR_OFFSET);
  return MALFORMED;
}

function reject(h: usize, s: usize, t: i64, field: usize): void {
  bump(h, field);
  if (load<u32>(h, H_REJECT_KIND) == 0) {
    store<u32>(h, <u32>s, H_REJECT_SERIES);
    store<i64>(h, t, H_REJECT_T);
    store<u32>(h, <u32>field, H_REJECT_KIND);
  }
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
  const arenaMask = load<u32>(h, H_ARENA_MASK);
  const arenaIndex = load<u32>(h, H_ARENA_INDEX);
  let p = body + from;
  let ahead: u32 = 0, next: u32 = 0;
  while (p < end) {
    const start = p;
    if (next == ahead) { ahead = lookAhead(h, p, end); next = 0; }
    if (next == ahead) {
      // Nothing that looking ahead has an answer to: another field, or a TimeSeries that is malformed.
      const tag = load<u8>(p);
      if (tag == 0x0a) return malformed(h, start);
      if (tag >> 3 == 3) bump(h, H_METADATA);
      p = skipField(h, start, end);
      if (p == 0) return malformed(h, start);
      continue;
    }
    const a = h + H_AHEAD + <usize>next * A_BYTES;
    next++;
    const key: usize = load<u32>(a, A_KEY);
    const keyLen = load<u32>(a, A_KEY_LEN);
    const stop: usize = load<u32>(a, A_STOP);
    const size = <u32>(stop - key);
    const x = load<u64>(a, A_HASH);
    p = key + keyLen;
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
        store<u32>(h, size, H_MISS_LEN);
        store<u32>(h, <u32>(stop - body), H_RESUME);
        return IRREGULAR;
      }
    }
    let s = find(h, x, key, keyLen);
    // The arena that a series lives in is that of its canonical key, which is this one if it can be made here.
    if (s == 0) s = createSeries(h, key, keyLen, x, -1);
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
