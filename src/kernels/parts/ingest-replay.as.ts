// part of kernel ingest: what replay does with the records of a log.
import {
  H_BODY, H_MIN_VALID, H_RESUME, H_CUT_CAP, H_CUT_COUNT, H_REF_TABLE, H_REF_MASK, H_UNKNOWN_REFS, S_LAST_T,
  S_LAST_V, S_ENCODING,
} from './ingest-layout.as';
import { append } from './ingest-append.as';
import { bump, uvarint } from './ingest-protobuf.as';

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
