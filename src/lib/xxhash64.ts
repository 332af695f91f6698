/**
 * XXH64, the hash that Prometheus and Thanos name label sets by (xxhash_spec.md of Cyan4973/xxHash). On bigints: some
 * 10 µs for a label set, so it is for names, not for samples.
 */

const PRIME1 = 0x9e3779b185ebca87n;
const PRIME2 = 0xc2b2ae3d27d4eb4fn;
const PRIME3 = 0x165667b19e3779f9n;
const PRIME4 = 0x85ebca77c2b2ae63n;
const PRIME5 = 0x27d4eb2f165667c5n;

const STRIPE_BYTES = 32;

/** The 64-bit hash of bytes, unsigned, with seed 0 as Go's cespare/xxhash has it. */
export function xxhash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = PRIME5;
  if (bytes.length >= STRIPE_BYTES) {
    const lanes = [wrap(PRIME1 + PRIME2), PRIME2, 0n, wrap(-PRIME1)];
    for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) {
      for (let i = 0; i < 4; i++) {
        lanes[i] = round(lanes[i] as bigint, view.getBigUint64(at + 8 * i, true));
      }
    }
    const [a, b, c, d] = lanes as [bigint, bigint, bigint, bigint];
    hash = wrap(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
    for (const lane of lanes) hash = wrap((hash ^ round(0n, lane)) * PRIME1 + PRIME4);
  }
  hash = wrap(hash + BigInt(bytes.length));
  return avalanche(tail(hash, view, at));
}

/** Folds in what is left behind the last whole stripe: words of 8 bytes, one of 4, then bytes. */
function tail(start: bigint, view: DataView, from: number): bigint {
  let hash = start;
  let at = from;
  for (; at + 8 <= view.byteLength; at += 8) {
    const word = round(0n, view.getBigUint64(at, true));
    hash = wrap(rotate(hash ^ word, 27n) * PRIME1 + PRIME4);
  }
  if (at + 4 <= view.byteLength) {
    const word = wrap(BigInt(view.getUint32(at, true)) * PRIME1);
    hash = wrap(rotate(hash ^ word, 23n) * PRIME2 + PRIME3);
    at += 4;
  }
  for (; at < view.byteLength; at++) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint8(at)) * PRIME5), 11n) * PRIME1);
  }
  return hash;
}

function avalanche(start: bigint): bigint {
  let hash = start;
  hash = wrap((hash ^ (hash >> 33n)) * PRIME2);
  hash = wrap((hash ^ (hash >> 29n)) * PRIME3);
  return hash ^ (hash >> 32n);
}

function round(lane: bigint, word: bigint): bigint {
  return wrap(rotate(wrap(lane + word * PRIME2), 31n) * PRIME1);
}

function rotate(x: bigint, bits: bigint): bigint {
  return wrap(x << bits) | (x >> (64n - bits));
}

function wrap(x: bigint): bigint {
  return BigInt.asUintN(64, x);
}
