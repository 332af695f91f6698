// part of kernel ingest: the hash of label bytes, the allocator, and the table of series.
import {
  H_BUMP, H_END, H_TABLE, H_MASK, H_USED, H_SEED, H_HASH_LO, H_HASH_HI, S_HASH, S_KEY, S_KEY_LEN, H_FREE_SMALL,
  SMALL_MAX,
} from './ingest-layout.as';

// @ts-ignore: decorator
@inline export function mix(a: u64, b: u64): u64 {
  let h = (a ^ b) * 0x9E3779B97F4A7C15;
  return h ^ (h >> 32);
}

/**
 * The keyed hash of label bytes. perf: two pairs of lanes, so that a multiplication waits for its own lane only; keys are
 * some 300 bytes long. May read 8 bytes behind the key, which it masks.
 */
export function hashBytes(seed: u64, p: usize, n: u32): u64 {
  let a: u64 = seed ^ <u64>n;
  let b: u64 = seed * 0xD6E8FEB86659FD93;
  let c: u64 = seed + 0x9E3779B97F4A7C15;
  let d: u64 = ~seed;
  const e = p + n;
  while (p + 32 <= e) {
    a = mix(a, load<u64>(p));
    b = mix(b, load<u64>(p, 8));
    c = mix(c, load<u64>(p, 16));
    d = mix(d, load<u64>(p, 24));
    p += 32;
  }
  while (p + 8 <= e) { a = mix(a, load<u64>(p)); p += 8; }
  const left = <u64>(e - p) << 3;
  if (left != 0) b = mix(b, load<u64>(p) & (((<u64>1) << left) - 1));
  return mix(mix(a, c + 0x165667B19E3779F9), mix(b, d));
}

/** Whether n bytes are equal. perf: memory.compare goes byte by byte where the two are not aligned alike. */
// @ts-ignore: decorator
@inline export function equalBytes(a: usize, b: usize, n: u32): bool {
  const e = a + n;
  while (a + 16 <= e) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
    a += 16;
    b += 16;
  }
  if (a + 8 <= e) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
  }
  const left = <u64>(e - a) << 3;
  return left == 0 || ((load<u64>(a) ^ load<u64>(b)) << (64 - left)) == 0;
}

/** Hashes bytes with the arena's key into H_HASH_LO/HI. */
export function hash(h: usize, p: usize, n: u32): void {
  const x = hashBytes(load<u64>(h, H_SEED), p, n);
  store<u32>(h, <u32>x, H_HASH_LO);
  store<u32>(h, <u32>(x >> 32), H_HASH_HI);
}

/** Takes zeroed bytes, 8-byte aligned: given back ones of that size, or fresh ones; 0 when the arena is full. */
export function alloc(h: usize, bytes: u32): u32 {
  const size = (bytes + 7) & ~7;
  if (size <= SMALL_MAX) {
    const list = <usize>load<u32>(h, H_FREE_SMALL) + <usize>(size >> 1);
    const at = load<u32>(list);
    if (at != 0) {
      store<u32>(list, load<u32>(at));
      memory.fill(at, 0, size);
      return at;
    }
  }
  const at = load<u32>(h, H_BUMP);
  const end = load<u32>(h, H_END);
  if (size < bytes || end - at < size) return 0;
  store<u32>(h, at + size, H_BUMP);
  return at;
}

// Table entries: high 32 bits of the hash, address. An address with bit 0 set is an alias node
// (hash u64, key u32, key length u32, series u32), otherwise the series itself, which begins with the same fields.

// @ts-ignore: decorator
@inline export function find(h: usize, x: u64, key: usize, n: u32): usize {
  const table: usize = load<u32>(h, H_TABLE);
  const mask = load<u32>(h, H_MASK);
  let i = <u32>x & mask;
  for (;;) {
    const e = load<u64>(table + (<usize>i << 3));
    if (e == 0) return 0;
    if (((e ^ x) >> 32) == 0) {
      const tagged = <usize>(e & 0xffffffff);
      const node = tagged & ~1;
      if (load<u64>(node, S_HASH) == x && load<u32>(node, S_KEY_LEN) == n && equalBytes(load<u32>(node, S_KEY), key, n)) {
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
