// part of kernel ingest: a few messages are looked at ahead of their turn, so that the memory that they need is on its way
// while others are worked on. perf: with a million series nearly everything that a sample touches is far away, and loads
// that do not wait for each other take the time of one.
import {
  H_SEED, H_TABLE, H_MASK, H_RESUME, H_TOUCHED, H_AHEAD, AHEAD, A_KEY, A_KEY_LEN, A_STOP, A_NODE, A_HASH, A_BYTES, S_HASH,
  S_KEY, S_LAST_T, S_STAGED_T,
} from './ingest-layout.as';
import { uvarint } from './ingest-protobuf.as';
import { hashBytes } from './ingest-table.as';

/** How much of a key is loaded ahead. */
const KEY_TOUCHED: u32 = 1024;

/** Reads a length at p; nearly all take one byte. The place behind it is in H_RESUME, 0 when there is none. */
// @ts-ignore: decorator
@inline function size(h: usize, p: usize, end: usize): u64 {
  if (p < end) {
    const n = load<u8>(p);
    if (n < 128) { store<u32>(h, <u32>(p + 1), H_RESUME); return <u64>n; }
  }
  return uvarint(h, p, end);
}

/**
 * The end of the Label fields that a message begins with; 0 when one of them does not fit.
 */
// @ts-ignore: decorator
@inline export function labelsEnd(h: usize, p: usize, stop: usize): usize {
  while (p < stop && load<u8>(p) == 0x0a) {
    const n = size(h, p + 1, stop);
    p = load<u32>(h, H_RESUME);
    if (p == 0 || n > <u64>(stop - p)) return 0;
    p += <usize>n;
  }
  return p;
}

/**
 * Looks at up to AHEAD TimeSeries messages that follow each other from p on: where each one's labels are and their hash go
 * to H_AHEAD. Answers how many there were; what stops it, a malformed message too, is for the caller to see.
 */
export function lookAhead(h: usize, p: usize, end: usize): u32 {
  const seed = load<u64>(h, H_SEED);
  const table: usize = load<u32>(h, H_TABLE);
  const mask = load<u32>(h, H_MASK);
  let count: u32 = 0;
  let touched: u64 = 0;
  while (count < AHEAD && p < end && load<u8>(p) == 0x0a) {
    const n = size(h, p + 1, end);
    const key: usize = load<u32>(h, H_RESUME);
    if (key == 0 || n > <u64>(end - key)) break;
    const stop = key + <usize>n;
    const keyEnd = labelsEnd(h, key, stop);
    if (keyEnd == 0) break;
    const x = hashBytes(seed, key, <u32>(keyEnd - key));
    const a = h + H_AHEAD + <usize>count * A_BYTES;
    store<u32>(a, <u32>key, A_KEY);
    store<u32>(a, <u32>(keyEnd - key), A_KEY_LEN);
    store<u32>(a, <u32>stop, A_STOP);
    store<u64>(a, x, A_HASH);
    touched ^= load<u64>(table + (<usize>(<u32>x & mask) << 3));
    p = stop;
    count++;
  }
  for (let i: u32 = 0; i < count; i++) {
    const a = h + H_AHEAD + <usize>i * A_BYTES;
    const node = load<u32>(table + (<usize>(load<u32>(a, A_HASH) & mask) << 3)) & ~1;
    store<u32>(a, node, A_NODE);
    touched ^= load<u64>(node, S_HASH) ^ load<u64>(node, S_STAGED_T);
  }
  for (let i: u32 = 0; i < count; i++) {
    const a = h + H_AHEAD + <usize>i * A_BYTES;
    const node: usize = load<u32>(a, A_NODE);
    if (node == 0) continue;
    let key: usize = load<u32>(node, S_KEY);
    touched ^= load<u64>(node, S_LAST_T);
    // The node may be another series, with a shorter key: no further than the page behind the arena goes.
    const n = load<u32>(a, A_KEY_LEN);
    for (const last = key + <usize>(n < KEY_TOUCHED ? n : KEY_TOUCHED); key < last; key += 64) touched ^= <u64>load<u8>(key);
  }
  store<u64>(h, touched, H_TOUCHED);
  return count;
}
